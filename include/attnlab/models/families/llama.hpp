#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/families/rotation.hpp>
#include <attnlab/models/model_folder.hpp>

/// \file
/// LLaMA (2302.13971) and those built like it: RMSNorm, RoPE, a gated MLP, no biases but where a file says so.

namespace attnlab {

/// What a family assumes of a file that does not say it, as transformers does.
struct llama_defaults {
    double eps = 1e-6, theta = 10000;
    bool tied = false;
    std::string act = "silu", act_field = "hidden_act";
};

/// A decoder like LLaMA's: what its relatives begin with.
inline decoder_description describe_like_llama(config_file const& c, llama_defaults const& otherwise) {
    decoder_description d;
    d.family = c.family();
    read_sizes(c, d);
    d.mlp_width = c.integer("intermediate_size");
    d.norm = {norm_form::kind::rms, c.number_or("rms_norm_eps", otherwise.eps)};
    d.act = read_activation(c, otherwise.act_field, otherwise.act);
    bool const attention_bias = c.flag_or("attention_bias", false), mlp_bias = c.flag_or("mlp_bias", false);
    d.embedding = "model.embed_tokens.weight";
    d.block = "model.layers.";
    d.attention_norm = "input_layernorm", d.mlp_norm = "post_attention_layernorm";
    d.q = {"self_attn.q_proj", attention_bias}, d.k = {"self_attn.k_proj", attention_bias},
    d.v = {"self_attn.v_proj", attention_bias};
    d.out = {"self_attn.o_proj", attention_bias};
    d.gate = {"mlp.gate_proj", mlp_bias}, d.up = {"mlp.up_proj", mlp_bias}, d.down = {"mlp.down_proj", mlp_bias};
    d.final_norm = "model.norm";
    if (!c.flag_or("tie_word_embeddings", otherwise.tied)) d.head = "lm_head.weight";
    read_rotation(c, d, {.default_theta = otherwise.theta});
    return d;
}

inline decoder_description describe_llama(config_file const& c, model_folder const&) { return describe_like_llama(c, {}); }

}  // namespace attnlab
