#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/families/rotation.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// GPT-NeoX (2204.06745) and Pythia (2304.01373): attention and MLP side by side, a norm each; RoPE on a part of each head; q, k
/// and v of a head lie together.
inline decoder_description describe_gpt_neox(config_file const& c, model_folder const&) {
    decoder_description d;
    d.family = "gpt_neox";
    read_sizes(c, d);
    d.mlp_width = c.integer("intermediate_size");
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_eps", 1e-5), 0, true};
    d.act = read_activation(c, "hidden_act", "gelu");
    d.parallel = c.flag_or("use_parallel_residual", true);
    bool const bias = c.flag_or("attention_bias", true);
    d.embedding = "gpt_neox.embed_in.weight";
    d.block = "gpt_neox.layers.";
    d.attention_norm = "input_layernorm", d.mlp_norm = "post_attention_layernorm";
    d.qkv = {"attention.query_key_value", bias}, d.out = {"attention.dense", bias};
    d.grouped = true;
    d.up = {"mlp.dense_h_to_4h", true}, d.down = {"mlp.dense_4h_to_h", true};
    d.final_norm = "gpt_neox.final_layer_norm";
    if (!c.flag_or("tie_word_embeddings", false)) d.head = "embed_out.weight";
    c.ignore({"is_decoder"});  // false in published files, and no matter
    read_rotation(c, d, {.theta = "rotary_emb_base", .partial = "rotary_pct", .default_partial = 0.25});
    return d;
}

}  // namespace attnlab
