#pragma once
#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// Mistral (2310.06825): every layer with a window, where the file has one.
inline decoder_description describe_mistral(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {});
    read_windows(
        c, d, [](index_t) { return true; }, 4096);
    return d;
}

/// Mixtral (2401.04088): experts in place of the MLP.
inline decoder_description describe_mixtral(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {.eps = 1e-5, .theta = 1e6});
    read_windows(c, d, [](index_t) { return true; });
    d.gate = d.up = d.down = {};
    d.mixture.experts = c.integer_or("num_local_experts", 8, 1, c.many);
    d.mixture.chosen = c.integer_or("num_experts_per_tok", 2, 1, d.mixture.experts);
    d.mixture.router = {"block_sparse_moe.gate"};
    d.mixture.gate = "block_sparse_moe.experts.{}.w1", d.mixture.up = "block_sparse_moe.experts.{}.w3",
    d.mixture.down = "block_sparse_moe.experts.{}.w2";
    return d;
}

}  // namespace attnlab
