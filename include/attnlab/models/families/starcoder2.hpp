#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/families/rotation.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// StarCoder 2 (2402.19173): LayerNorm, RoPE, an MLP without a gate, biases everywhere, a window.
inline decoder_description describe_starcoder2(config_file const& c, model_folder const&) {
    decoder_description d;
    d.family = "starcoder2";
    read_sizes(c, d);
    d.mlp_width = c.integer("intermediate_size");
    d.norm = {norm_form::kind::layer, c.number_or("norm_epsilon", 1e-5), 0, true};
    d.act = read_activation(c, "hidden_act", "gelu_pytorch_tanh");
    if (c.has("mlp_type")) c.expect("mlp_type", "default");
    c.ignore({"norm_type", "activation_function", "layer_norm_epsilon", "attention_softmax_in_fp32",
              "scale_attention_softmax_in_fp32"});  // of its first files; transformers reads hidden_act
    bool const bias = c.flag_or("use_bias", true);
    d.embedding = "model.embed_tokens.weight";
    d.block = "model.layers.";
    d.attention_norm = "input_layernorm", d.mlp_norm = "post_attention_layernorm";
    d.q = {"self_attn.q_proj", bias}, d.k = {"self_attn.k_proj", bias}, d.v = {"self_attn.v_proj", bias},
    d.out = {"self_attn.o_proj", bias};
    d.up = {"mlp.c_fc", bias}, d.down = {"mlp.c_proj", bias};
    d.final_norm = "model.norm";
    if (!c.flag_or("tie_word_embeddings", true)) d.head = "lm_head.weight";
    read_rotation(c, d);
    read_windows(c, d, [](index_t) { return true; });
    return d;
}

}  // namespace attnlab
