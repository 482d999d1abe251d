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

}  // namespace attnlab
