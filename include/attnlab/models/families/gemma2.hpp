#pragma once
#include <cmath>

#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// Gemma 2 (2408.00118): norms of 1 + w before and after each part, capped scores and logits, every other layer with a window.
inline decoder_description describe_gemma2(config_file const& c, model_folder const& f) {
    auto d = describe_llama(c, f);
    d.norm.offset = 1;
    d.act = read_activation(c, "hidden_activation", c.word_or("hidden_act", "gelu_pytorch_tanh"));
    c.expect("attention_bias", false);
    c.expect("use_bidirectional_attention", false);
    d.attention_norm = "input_layernorm", d.post_attention_norm = "post_attention_layernorm";
    d.mlp_norm = "pre_feedforward_layernorm", d.post_mlp_norm = "post_feedforward_layernorm";
    d.embedding_scale = std::sqrt(static_cast<double>(d.width));
    d.scale = 1 / std::sqrt(c.number_or("query_pre_attn_scalar", 256));
    d.score_cap = c.number_or("attn_logit_softcapping", 50);
    d.logit_cap = c.number_or("final_logit_softcapping", 30);
    if (c.flag_or("tie_word_embeddings", true)) d.head.clear();
    read_windows(c, d, [](index_t l) { return l % 2 == 0; });
    return d;
}

}  // namespace attnlab
