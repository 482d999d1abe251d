#pragma once
#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// OLMo 2 (2501.00656): no norm before a part, one after it; QK-norm over all heads together.
inline decoder_description describe_olmo2(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {.eps = 1e-5});
    d.attention_norm = d.mlp_norm = "";
    d.post_attention_norm = "post_attention_layernorm", d.post_mlp_norm = "post_feedforward_layernorm";
    d.q_norm = "self_attn.q_norm", d.k_norm = "self_attn.k_norm";
    d.qk_norm_of_all = true;
    return d;
}

/// OLMo 3: three layers with a window to one without; scaled rotation in that one alone.
inline decoder_description describe_olmo3(config_file const& c, model_folder const& f) {
    auto d = describe_olmo2(c, f);
    read_windows(
        c, d, [](index_t l) { return (l + 1) % 4 != 0; }, 4096);
    read_window_rotation(c, d, c.number_or("rope_theta", 10000));
    return d;
}

}  // namespace attnlab
