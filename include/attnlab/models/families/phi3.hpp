#pragma once
#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// Phi-3 (2404.14219), Phi-3.5 and Phi-4: q, k and v in one matrix, gate and up in one, RoPE for long texts on part of a head
/// (Phi-4-mini).
inline decoder_description describe_phi3(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {.eps = 1e-5});
    c.expect("attention_bias", false);
    c.expect("mlp_bias", false);
    c.expect("lm_head_bias", false);
    for (auto const* field : {"full_attn_mod", "interpolate_factor"}) c.expect(field, 1);  // of other models of its first code
    d.q = d.k = d.v = {};
    d.qkv = {"self_attn.qkv_proj"};
    d.gate = {}, d.up = {"mlp.gate_up_proj"};
    d.fused_gate = true;
    c.ignore({"original_max_position_embeddings"});  // read with the rotation where that depends on it
    read_windows(c, d, [](index_t) { return true; });
    return d;
}

}  // namespace attnlab
