#pragma once
#include <cmath>

#include <attnlab/models/families/llama.hpp>

/// \file
/// Gemma: norms multiply by 1 + w, the embedding by sqrt(C).

namespace attnlab {

namespace detail {

inline decoder_description describe_like_gemma(config_file const& c, llama_defaults const& otherwise) {
    auto d = describe_like_llama(c, otherwise);
    d.norm.offset = 1;
    d.embedding_scale = std::sqrt(static_cast<double>(d.width));
    c.expect("use_bidirectional_attention", false);
    return d;
}

/// A norm before and one after each part.
inline void add_gemma2_norms(decoder_description& d) {
    d.attention_norm = "input_layernorm", d.post_attention_norm = "post_attention_layernorm";
    d.mlp_norm = "pre_feedforward_layernorm", d.post_mlp_norm = "post_feedforward_layernorm";
}

/// A cap that null turns off.
inline double read_cap(config_file const& c, std::string const& field, double otherwise) {
    return c.is_null(field) ? 0 : c.number_or(field, otherwise);
}

}  // namespace detail

/// Gemma (2403.08295). Its first files say gelu and mean the form with tanh.
inline decoder_description describe_gemma(config_file const& c, model_folder const&) {
    auto d = detail::describe_like_gemma(c, {.tied = true, .act = "gelu_pytorch_tanh"});
    c.ignore({"hidden_activation"});
    if (d.act == activation::gelu) d.act = activation::gelu_tanh;
    return d;
}

/// Gemma 2 (2408.00118): capped scores and logits, every other layer with a window.
inline decoder_description describe_gemma2(config_file const& c, model_folder const&) {
    auto d = detail::describe_like_gemma(c, {.tied = true, .act = "gelu_pytorch_tanh", .act_field = "hidden_activation"});
    c.ignore({"hidden_act"});
    detail::add_gemma2_norms(d);
    d.scale = 1 / std::sqrt(c.positive_or("query_pre_attn_scalar", 256));
    d.score_cap = detail::read_cap(c, "attn_logit_softcapping", 50);
    d.logit_cap = detail::read_cap(c, "final_logit_softcapping", 30);
    read_windows(
        c, d, [](index_t l) { return l % 2 == 0; }, 4096);
    return d;
}

/// Gemma 3 (2503.19786), text alone: QK-norm, five layers with a window to one without, and another rotation in those.
inline decoder_description describe_gemma3(config_file const& c, model_folder const&) {
    auto d = detail::describe_like_gemma(
        c, {.theta = 1e6, .tied = true, .act = "gelu_pytorch_tanh", .act_field = "hidden_activation"});
    c.ignore({"hidden_act"});
    detail::add_gemma2_norms(d);
    d.q_norm = "self_attn.q_norm", d.k_norm = "self_attn.k_norm";
    d.scale = 1 / std::sqrt(c.positive_or("query_pre_attn_scalar", 256));
    d.score_cap = detail::read_cap(c, "attn_logit_softcapping", 0);
    d.logit_cap = detail::read_cap(c, "final_logit_softcapping", 0);
    index_t const turn = c.integer_or(c.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern", 6);
    read_windows(
        c, d, [=](index_t l) { return (l + 1) % turn != 0; }, 4096);
    read_window_rotation(c, d, c.number_or("rope_local_base_freq", 10000));
    return d;
}

}  // namespace attnlab
