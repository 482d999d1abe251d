#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/families/rotation.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// Phi-1, Phi-1.5 and Phi-2: one LayerNorm feeds attention and MLP side by side; RoPE on a part of each head; biases everywhere.
inline decoder_description describe_phi(config_file const& c, model_folder const&) {
    decoder_description d;
    d.family = "phi";
    read_sizes(c, d);
    d.mlp_width = c.integer_or("intermediate_size", 4 * d.width);
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_eps", 1e-5), 0, true};
    d.act = read_activation(c, "hidden_act", "gelu_new");
    c.expect("qk_layernorm", false);
    d.parallel = true;
    d.embedding = "model.embed_tokens.weight";
    d.block = "model.layers.";
    d.attention_norm = "input_layernorm";
    d.q = {"self_attn.q_proj", true}, d.k = {"self_attn.k_proj", true}, d.v = {"self_attn.v_proj", true},
    d.out = {"self_attn.dense", true};
    d.up = {"mlp.fc1", true}, d.down = {"mlp.fc2", true};
    d.final_norm = "model.final_layernorm";
    if (!c.flag_or("tie_word_embeddings", false)) d.head = "lm_head.weight";
    d.head_bias = "lm_head.bias";
    read_rotation(c, d, {.default_partial = 0.5});
    return d;
}

}  // namespace attnlab
