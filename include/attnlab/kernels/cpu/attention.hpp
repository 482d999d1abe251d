#pragma once
#include <omp.h>

#include <algorithm>

#include <attnlab/attention/problem.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/kernels/cpu/attention_backward.hpp>
#include <attnlab/kernels/cpu/attention_forward.hpp>
#include <attnlab/kernels/cpu/output.hpp>

/// \file
/// Attention in tiles, forward and backward in one sweep each, for any policy: never a T x T array, O(T) numbers kept a head.
/// Threads share (batch, head of k and v) pairs; what is done token by token is a pass of its own (kernels/cpu/tokens.hpp).

namespace attnlab {

/// y (B, H, T, D) by the policy; keeps in `saved` what backward needs.
template <class Policy>
void attention_forward(cpu, attention_problem<float> const& given, attention_saved<float>& saved, heads<float> y) {
    saved.template resize<Policy>(given);
    detail::forward_prologue<Policy>(given, saved);
    auto const p = saved.template after_prologue<Policy>(given);
    if constexpr (Policy::has_tokens) detail::forward_tokens<Policy>(p, saved.tokens);
    if constexpr (Policy::has_projections) detail::forward_projections<Policy>(p, saved);
    index_t const pairs = p.B * p.kv_heads();
#pragma omp parallel for schedule(dynamic) if (pairs > 1 && pairs * p.T * p.T * p.D > (1 << 20))
    for (index_t i = 0; i < pairs; ++i) detail::forward_heads<Policy>(p, saved, y, i / p.kv_heads(), i % p.kv_heads()).run();
}

/// Gradients from dy; y is what forward returned.
template <class Policy>
void attention_backward(cpu, attention_problem<float> const& given, attention_saved<float> const& saved, heads<float const> y,
                        heads<float const> dy, attention_gradients<float> const& gradients) {
    auto const p = saved.template after_prologue<Policy>(given);
    tensor<float, 3> d_core, d_log_normalizer, d_tokens;
    heads<float const> d_weighted = dy;
    if constexpr (Policy::has_output) {
        d_core.resize({p.B, p.T, p.H * p.D});
        d_log_normalizer.resize({p.B, p.H, p.T});
        detail::backward_output<Policy>(p, saved, dy, gradients, d_core, d_log_normalizer);
        d_weighted = merged_heads(view<float const, 3>(d_core), p.D);
    }
    if constexpr (Policy::has_tokens) d_tokens = tensor<float, 3>({p.B, p.H, p.T}, 0.0f);
    auto const weighted = saved.template weighted_values<Policy>(p, y);
    // What the score joint learns gets a gradient of its own from each sequence: threads share none.
    detail::gradient_copies<Policy> copies(p.sizes(), Policy::has_score ? p.B : 0);
    index_t const pairs = p.B * p.kv_heads();
#pragma omp parallel for schedule(dynamic) if (pairs > 1 && pairs * p.T * p.T * p.D > (1 << 19))
    for (index_t i = 0; i < pairs; ++i) {
        index_t const b = i / p.kv_heads();
        detail::weighted_gradients const back{weighted, d_weighted, d_log_normalizer,
                                              Policy::has_score ? copies.copy(b) : std::vector<float*>{}, d_tokens};
        detail::backward_heads<Policy>(p, saved, back, gradients, b, i % p.kv_heads()).run();
    }
    copies.add_to(gradients.parameters);
    if constexpr (Policy::has_tokens) detail::backward_tokens<Policy>(p, d_tokens, gradients);
    detail::backward_prologue<Policy>(given, gradients);
}

}  // namespace attnlab
