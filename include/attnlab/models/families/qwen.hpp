#pragma once
#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// Qwen 2 (2407.10671): biases on q, k, v; a window in the layers from max_window_layers on, where the file turns it on.
inline decoder_description describe_qwen2(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {});
    d.q.bias = d.k.bias = d.v.bias = true, d.out.bias = false;
    bool const windows = c.flag_or("use_sliding_window", false);
    index_t const from = c.integer_or("max_window_layers", 28, 0);
    if (windows)
        read_windows(
            c, d, [=](index_t l) { return l >= from; }, 4096);
    else
        c.ignore({"sliding_window", "layer_types"});
    return d;
}

/// Qwen 3 (2505.09388): QK-norm in place of those biases.
inline decoder_description describe_qwen3(config_file const& c, model_folder const& f) {
    auto d = describe_qwen2(c, f);
    d.q.bias = d.k.bias = d.v.bias = d.out.bias = c.flag_or("attention_bias", false);
    d.q_norm = "self_attn.q_norm", d.k_norm = "self_attn.k_norm";
    return d;
}

/// Qwen 3's mixtures (2505.09388): experts in every layer. Files that leave some layers without are refused.
inline decoder_description describe_qwen3_moe(config_file const& c, model_folder const& f) {
    auto d = describe_qwen3(c, f);
    c.expect("decoder_sparse_step", 1);
    c.expect("mlp_only_layers", json::array());
    if (c.flag_or("use_sliding_window", false))
        read_windows(
            c, d, [](index_t) { return true; }, 4096);  // max_window_layers is not read
    d.gate = d.up = d.down = {};
    d.mlp_width = c.integer_or("moe_intermediate_size", 768);
    d.mixture.experts = c.integer_or(c.has("num_local_experts") ? "num_local_experts" : "num_experts", 128);
    d.mixture.chosen = c.integer_or("num_experts_per_tok", 8, 1, d.mixture.experts);
    d.mixture.normalised = c.flag_or("norm_topk_prob", false);
    d.mixture.router = {"mlp.gate"};
    d.mixture.gate = "mlp.experts.{}.gate_proj", d.mixture.up = "mlp.experts.{}.up_proj",
    d.mixture.down = "mlp.experts.{}.down_proj";
    return d;
}

}  // namespace attnlab
