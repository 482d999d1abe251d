#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// OPT (2205.01068): learned positions from the third row of their table on, ReLU; the 350m model norms after each part and has
/// narrower embeddings.
inline decoder_description describe_opt(config_file const& c, model_folder const&) {
    decoder_description d;
    d.family = "opt";
    read_sizes(c, d);
    d.longest = c.integer("max_position_embeddings");
    d.refuses_longer = true;
    d.mlp_width = c.integer("ffn_dim");
    bool const bias = c.flag_or("enable_bias", true), affine = c.flag_or("layer_norm_elementwise_affine", true);
    d.norm = {norm_form::kind::layer, 1e-5, 0, affine, affine};
    d.act = read_activation(c, "activation_function", "relu");
    d.embedding = "model.decoder.embed_tokens.weight";
    d.positions = "model.decoder.embed_positions.weight", d.position_offset = 2;
    d.embedding_width = c.integer_or("word_embed_proj_dim", d.width);
    if (d.embedding_width != d.width) d.project_in = "model.decoder.project_in", d.project_out = "model.decoder.project_out";
    d.block = "model.decoder.layers.";
    d.attention_norm = "self_attn_layer_norm", d.mlp_norm = "final_layer_norm";
    d.norm_after = !c.flag_or("do_layer_norm_before", true);
    d.q = {"self_attn.q_proj", bias}, d.k = {"self_attn.k_proj", bias}, d.v = {"self_attn.v_proj", bias},
    d.out = {"self_attn.out_proj", bias};
    d.scale_query = true;
    d.up = {"fc1", bias}, d.down = {"fc2", bias};
    if (!d.norm_after && !c.flag_or("_remove_final_layer_norm", false)) d.final_norm = "model.decoder.final_layer_norm";
    c.ignore({"_remove_final_layer_norm"});
    if (!c.flag_or("tie_word_embeddings", true)) d.head = "lm_head.weight";
    return d;
}

}  // namespace attnlab
