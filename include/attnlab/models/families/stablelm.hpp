#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/families/rotation.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// StableLM (3B, and 2 1.6B): LLaMA with LayerNorm, RoPE on a part of each head, and attention and MLP side by side where the
/// file says so.
inline decoder_description describe_stablelm(config_file const& c, model_folder const&) {
    decoder_description d;
    d.family = "stablelm";
    read_sizes(c, d);
    d.mlp_width = c.integer("intermediate_size");
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_eps", 1e-5), 0, true};
    d.act = read_activation(c, "hidden_act", "silu");
    bool const bias = c.flag_or("use_qkv_bias", false);
    c.expect("qk_layernorm", false);
    d.parallel = c.flag_or("use_parallel_residual", false);
    d.embedding = "model.embed_tokens.weight";
    d.block = "model.layers.";
    d.attention_norm = "input_layernorm", d.mlp_norm = d.parallel ? "" : "post_attention_layernorm";
    d.q = {"self_attn.q_proj", bias}, d.k = {"self_attn.k_proj", bias}, d.v = {"self_attn.v_proj", bias},
    d.out = {"self_attn.o_proj"};
    d.gate = {"mlp.gate_proj"}, d.up = {"mlp.up_proj"}, d.down = {"mlp.down_proj"};
    d.final_norm = "model.norm";
    if (!c.flag_or("tie_word_embeddings", false)) d.head = "lm_head.weight";
    read_rotation(c, d, {.partial = "rope_pct", .default_partial = 0.25});
    return d;
}

}  // namespace attnlab
