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
/// Threads share (batch, head of k and v) pairs, in parts where these are few; what is done token by token is a pass of its own (kernels/cpu/tokens.hpp).

namespace attnlab {

namespace detail {
/// How many parts the rows of a pair (sequence, head of k and v) are dealt to: enough that threads find work where there are few
/// heads. By sizes alone, so that the number of threads does not show in any bit.
inline index_t parts_of_heads(attention_problem<float> const& p) {
    constexpr index_t tasks = 12;
    index_t const blocks = (p.T + tile_rows - 1) / tile_rows, pairs = p.B * p.kv_heads();
    return std::clamp<index_t>((tasks + pairs - 1) / pairs, 1, std::max<index_t>(1, blocks / 2));
}
/// `body(b, kv, part, parts)` for each part of each pair, on several threads where that repays `least` multiplications.
template <class Body>
void each_part_of_heads(attention_problem<float> const& p, index_t least, Body body) {
    index_t const pairs = p.B * p.kv_heads(), parts = parts_of_heads(p);
#pragma omp parallel for schedule(dynamic) if (pairs * parts > 1 && pairs * p.T * p.T * p.D > least)
    for (index_t i = 0; i < pairs * parts; ++i) body(i / parts / p.kv_heads(), i / parts % p.kv_heads(), i % parts, parts);
}
/// What is done token by token before the tiles. Returns the problem as the scores see it.
template <class Policy>
attention_problem<float> before_tiles(attention_problem<float> const& given, attention_saved<float>& saved) {
    expr::check_rotations_of<Policy>(given.D);   // here: no exception may leave a thread
    saved.template resize<Policy>(given);
    forward_prologue<Policy>(given, saved);
    auto const p = saved.template after_prologue<Policy>(given);
    if constexpr (Policy::has_tokens) forward_tokens<Policy>(p, saved.tokens);
    if constexpr (Policy::has_projections) forward_projections<Policy>(p, saved);
    return p;
}
/// Gradients by k and v of all parts, the first one first.
inline void add_parts(attention_problem<float> const& p, view<float const, 3> d_kv, index_t parts, attention_gradients<float> const& to) {
    index_t const width = d_kv.shape(2);
    each_row(p.B * p.T, parts * width, [&](index_t bt) {
        index_t const b = bt / p.T, t = bt % p.T;
        for (index_t h = 0; h < 2 * p.kv_heads(); ++h) {
            bool const key = h < p.kv_heads();
            float* const sum = key ? to.k.row(b, h, t) : to.v.row(b, h - p.kv_heads(), t);
            each_lanes(p.D, [&](index_t c, auto part) {
                lanes all(0.0f);
                for (index_t i = 0; i < parts; ++i) all += load(d_kv.data() + ((i * p.B + b) * p.T + t) * width + h * p.D + c, part);
                store(sum + c, all, part);
            });
        }
    });
}
}  // namespace detail

/// y (B, H, T, D) by the policy; keeps in `saved` what backward needs.
template <class Policy>
void attention_forward(cpu, attention_problem<float> const& given, attention_saved<float>& saved, heads<float> y) {
    auto const p = detail::before_tiles<Policy>(given, saved);
    detail::each_part_of_heads(p, 1 << 20, [&](index_t b, index_t kv, index_t part, index_t parts) {
        detail::forward_heads<Policy>(p, saved, y, b, kv).run(part, parts);
    });
}

/// The same, and statistics of the weights as by-products.
template <class Policy>
void attention_forward(cpu, attention_problem<float> const& given, attention_saved<float>& saved, heads<float> y,
                       attention_statistics<float>& statistics) {
    statistics.resize(given.B, given.H, given.T);
    auto const p = detail::before_tiles<Policy>(given, saved);
    index_t const n = p.H * p.T, parts = detail::parts_of_heads(p);
    tensor<double, 2> sums({parts * p.B, n}, 0.0);  // each part of a sequence its own
    detail::each_part_of_heads(p, 1 << 20, [&](index_t b, index_t kv, index_t part, index_t) {
        detail::forward_heads<Policy, detail::tile_watcher<Policy>>(p, saved, y, b, kv, {p, statistics}).run(part, parts, &sums(part * p.B + b, 0));
    });
    for (index_t i = p.B * n; i < sums.size(); ++i) sums.data()[i % (p.B * n)] += sums.data()[i];
    std::transform(sums.data(), sums.data() + p.B * n, statistics.column_sums.data(), [](double x) { return static_cast<float>(x); });
}

/// Gradients from dy; y is what forward returned.
template <class Policy>
void attention_backward(cpu, attention_problem<float> const& given, attention_saved<float> const& saved, heads<float const> y,
                        heads<float const> dy, attention_gradients<float> const& gradients) {
    auto const p = saved.template after_prologue<Policy>(given);
    if (Policy::reads_input && gradients.input) std::fill_n(gradients.input, p.B * p.T * p.width, 0.0f);
    tensor<float, 3> d_core, d_log_normalizer, d_tokens, d_kv;
    heads<float const> d_weighted = dy;
    if constexpr (Policy::has_output) {
        d_core.resize({p.B, p.T, p.H * p.D});
        d_log_normalizer.resize({p.B, p.H, p.T});
        detail::backward_output<Policy>(p, saved, dy, gradients, d_core, d_log_normalizer);
        d_weighted = merged_heads(view<float const, 3>(d_core), p.D);
    }
    index_t const parts = detail::parts_of_heads(p);
    detail::weighted_gradients back{saved.template weighted_values<Policy>(p, y), d_weighted, d_log_normalizer, gradients.k, gradients.v, {}, {}};
    // What several parts add to, each adds to a copy of its own; threads share none.
    if (parts > 1) {
        d_kv.resize({parts * p.B, p.T, 2 * p.kv_heads() * p.D});
        back.k = merged_heads(*d_kv, p.D, 0), back.v = merged_heads(*d_kv, p.D, p.kv_heads() * p.D);
    }
    if constexpr (Policy::has_tokens) {
        d_tokens = tensor<float, 3>({parts * p.B, p.H, p.T}, 0.0f);
        back.tokens = d_tokens;
    }
    detail::gradient_copies<Policy> copies(p.sizes(), Policy::has_score ? parts * p.B : 0);
    detail::each_part_of_heads(p, 1 << 19, [&](index_t b, index_t kv, index_t part, index_t) {
        auto own = back;
        if constexpr (Policy::has_score) own.score_parameters = copies.copy(part * p.B + b);
        detail::backward_heads<Policy>(p, saved, own, gradients.q, b, kv).run(part, parts);
    });
    if (parts > 1) detail::add_parts(p, d_kv, parts, gradients);
    copies.add_to(gradients.parameters);
    if constexpr (Policy::has_tokens) {
        index_t const n = p.B * p.H * p.T;
        for (index_t i = n; i < parts * n; ++i) d_tokens.data()[i % n] += d_tokens.data()[i];
        detail::backward_tokens<Policy>(p, view<float, 3>(d_tokens.data(), {p.B, p.H, p.T}), gradients);
    }
    detail::backward_prologue<Policy>(given, gradients);
}

}  // namespace attnlab
