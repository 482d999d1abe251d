#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <tuple>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/kernels/ref/attention_head.hpp>

/// \file
/// Attention as the formulas say, one head at a time with whole T x T matrices in double: the oracle for every kernel.

namespace attnlab {

namespace detail {
[[gnu::noinline]] inline void put_rows(matrix const& from, heads<double> to, index_t b, index_t h) {
    for (index_t t = 0; t < from.rows; ++t)
        for (index_t c = 0; c < from.columns; ++c) to.row(b, h, t)[c] = from(t, c);
}
[[gnu::noinline]] inline void add_rows(matrix const& from, heads<double> to, index_t b, index_t h) {
    for (index_t t = 0; t < from.rows; ++t)
        for (index_t c = 0; c < from.columns; ++c) to.row(b, h, t)[c] += from(t, c);
}

/// Keeps the products of the policy's matrices with x, for the head at hand.
template <class Policy>
void save_projections(attention_problem<double> const& p, row_values const& facts, attention_saved<double>& saved, index_t b) {
    saved.projections.resize(Policy::parameter_count);
    each_matrix<Policy>([&]<class P>(P const&, std::size_t i) {
        auto& to = saved.projections[i];
        to.resize({p.B, p.T, p.H * p.D});
        put_rows(value_of<Policy>(expr::projected<P>{}, facts), merged_heads(*to, p.D), b, facts.head);
    });
}
}  // namespace detail

/// y (B, H, T, D) by the policy; keeps in `saved` what the pattern and the backward pass of layers read.
template <class Policy>
void attention_forward(ref, attention_problem<double> const& p, attention_saved<double>& saved, heads<double> y) {
    expr::check_rotations_of<Policy>(p.D);
    saved.template resize<Policy>(p);
    for (index_t b = 0; b < p.B; ++b)
        for (index_t h = 0; h < p.H; ++h) {
            auto const s = detail::run_head<Policy>(p, b, h);
            detail::put_rows(detail::applied<Policy>(Policy::output, s.facts, s.o), y, b, h);
            for (index_t t = 0; t < p.T; ++t) {
                saved.reference(b, h, t) = s.w.reference(t, 0);
                saved.sum(b, h, t) = s.w.sum(t, 0);
                if constexpr (Policy::has_tokens) saved.tokens(b, h, t) = s.facts.tokens(t, 0);
            }
            if constexpr (Policy::has_output) detail::put_rows(s.o, saved.core.rows(p.D), b, h);
            if constexpr (Policy::has_query) detail::put_rows(s.q, saved.q.rows(p.D), b, h);
            if constexpr (Policy::has_key) detail::put_rows(s.k, saved.k.rows(p.D), b, p.kv_head(h));
            if constexpr (Policy::has_value) detail::put_rows(s.v, saved.v.rows(p.D), b, p.kv_head(h));
            detail::save_projections<Policy>(p, s.facts, saved, b);
        }
}

/// Gradients from dy. Everything is computed again from the inputs; `saved` and y are not read.
template <class Policy>
void attention_backward(ref, attention_problem<double> const& p, attention_saved<double> const&, heads<double const>,
                        heads<double const> dy, attention_gradients<double> const& gradients) {
    using detail::matrix, detail::product, detail::pulled, detail::transposed;
    matrix const zeros(p.T, p.D);
    if (Policy::reads_input && gradients.input) std::fill_n(gradients.input, p.B * p.T * p.width, 0.0);
    for (index_t b = 0; b < p.B; ++b)
        for (index_t h = 0; h < p.kv_heads(); ++h) {
            detail::put_rows(zeros, gradients.k, b, h);
            detail::put_rows(zeros, gradients.v, b, h);
        }
    for (index_t b = 0; b < p.B; ++b)
        for (index_t h = 0; h < p.H; ++h) {
            auto const s = detail::run_head<Policy>(p, b, h);
            auto d = detail::zero_gradients(s.facts);

            matrix const d_o = pulled<Policy>(Policy::output, s.facts, s.o, d, detail::rows_of(dy, b, h, p.T, p.D));
            matrix const d_weights = product(d_o, transposed(s.v));
            matrix const d_scores = detail::pull_weights<Policy>(p, b, s.scores, s.w, d_weights, d.log_normalizer);
            matrix d_products = pulled<Policy>(Policy::score, s.facts, s.products, d, d_scores);
            for (double& x : d_products.numbers) x *= p.scale;
            if constexpr (Policy::has_tokens) detail::pull_tokens<Policy>(Policy::tokens, s.facts, d);

            matrix d_q = product(d_products, s.k);
            d_q += d.query;
            matrix const d_k = product(transposed(d_products), s.q);
            matrix const d_v = product(transposed(s.w.weights), d_o);
            detail::put_rows(pulled<Policy>(Policy::query, s.facts, s.given_q, d, d_q), gradients.q, b, h);
            detail::add_rows(pulled<Policy>(Policy::key, s.key_facts, s.given_k, d, d_k), gradients.k, b, p.kv_head(h));
            detail::add_rows(pulled<Policy>(Policy::value, s.key_facts, s.given_v, d, d_v), gradients.v, b, p.kv_head(h));

            if (gradients.input && p.input) detail::add_rows(d.input, {gradients.input, p.T * p.width, 0, p.width}, b, 0);
            std::size_t next = 0;
            auto const add = [&](auto const& parameter) {
                double* const to = gradients.parameters[next] + offset_of(parameter, p.sizes(), h);
                auto const& from = d.parameters[next++].numbers;
                std::transform(from.begin(), from.end(), to, to, std::plus<>());
            };
            std::apply([&](auto const&... e) { (add(e), ...); }, Policy::parameters);
        }
}

}  // namespace attnlab
