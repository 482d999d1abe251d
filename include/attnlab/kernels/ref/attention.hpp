#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/kernels/ref/row_expression.hpp>

/// \file
/// Attention as the formulas say, one head at a time with whole T x T matrices in double: the oracle for every kernel.

namespace attnlab {

namespace detail {

/// One head, forward: all that backward looks at again.
struct head_state {
    matrix q, k, v, x;          ///< (T, D) three times, (T, C)
    matrix scores, weights;     ///< (T, T), weights zero where a query does not see a key
    matrix reference, sum;      ///< (T, 1): m_i, Z_i e^-m_i
    matrix o, log_normalizer;   ///< (T, D), (T, 1)
};

inline matrix rows_of(heads<double const> x, index_t b, index_t h, index_t T, index_t D) {
    matrix out({static_cast<std::size_t>(T), static_cast<std::size_t>(D)});
    for (index_t t = 0; t < T; ++t)
        for (index_t c = 0; c < D; ++c) out(t, c) = x.row(b, h, t)[c];
    return out;
}

/// Where entry (i, j) of a head stands, for the scalar joints.
inline expr::scalar_point<double> entry(attention_problem<double> const& p, head_state const& s, index_t i, index_t j, key_range keys) {
    return {s.scores(i, j), s.sum(i, 0), s.reference(i, 0), std::exp(-s.reference(i, 0)), p.length(keys)};
}

template <class Policy>
head_state run_head(attention_problem<double> const& p, index_t b, index_t h) {
    constexpr bool has_reference = expr::has_degree<std::remove_const_t<decltype(Policy::weight)>>;
    constexpr bool mixes = expr::mixes_degrees<std::remove_const_t<decltype(Policy::weight)>> ||
                           expr::mixes_degrees<std::remove_const_t<decltype(Policy::summand)>>;
    index_t const T = p.T;
    auto const t = static_cast<std::size_t>(T);
    head_state s;
    s.q = rows_of(p.q, b, h, T, p.D);
    s.k = rows_of(p.k, b, h, T, p.D);
    s.v = rows_of(p.v, b, h, T, p.D);
    if (p.input) s.x = rows_of({p.input, T * p.width, 0, p.width}, b, 0, T, p.width);
    s.scores = p.scale * xt::linalg::dot(s.q, xt::transpose(s.k));
    s.weights = xt::zeros<double>({t, t});
    s.reference = s.sum = s.log_normalizer = xt::zeros<double>({t, std::size_t{1}});

    for (index_t i = 0; i < T; ++i) {
        key_range const keys = Policy::mask::keys(i, T);
        double& m = s.reference(i, 0);
        double& z = s.sum(i, 0);
        if constexpr (has_reference) {
            m = mixes ? 0 : -std::numeric_limits<double>::infinity();
            for (index_t j = keys.begin; j < keys.end; ++j) m = std::max(m, s.scores(i, j));
        }
        if constexpr (Policy::has_sum)
            for (index_t j = keys.begin; j < keys.end; ++j) z += expr::evaluate<void>(Policy::summand, entry(p, s, i, j, keys)).value;
        for (index_t j = keys.begin; j < keys.end; ++j) s.weights(i, j) = expr::evaluate<void>(Policy::weight, entry(p, s, i, j, keys)).value;
        s.log_normalizer(i, 0) = std::log(z) + (expr::degree_of<std::remove_const_t<decltype(Policy::summand)>> == 1 ? m : 0);
    }
    // Over the keys of each row, not as one product: 0 times a NaN that the row does not see would be a NaN.
    s.o = xt::zeros<double>(s.v.shape());
    for (index_t i = 0; i < T; ++i) {
        key_range const keys = Policy::mask::keys(i, T);
        for (index_t j = keys.begin; j < keys.end; ++j)
            for (index_t c = 0; c < p.D; ++c) s.o(i, c) += s.weights(i, j) * s.v(j, c);
    }
    return s;
}

/// The symbols of the output joint, for all rows of a head at once.
template <class Policy>
row_values<Policy> output_values(attention_problem<double> const& p, head_state const& s, index_t h) {
    row_values<Policy> values;
    values.output = s.o;
    values.query = s.q;
    values.input = s.x;
    values.log_normalizer = s.log_normalizer;
    values.scale = p.scale;
    std::size_t i = 0;
    std::apply(
        [&](auto const&... e) {
            [[maybe_unused]] auto const copy = [&](index_t n) {
                values.parameters[i] = matrix({std::size_t{1}, static_cast<std::size_t>(n)});
                std::copy_n(p.parameters[i] + h * n, n, values.parameters[i].data());
                ++i;
            };
            (copy(e.per_head({p.H, p.D, p.width})), ...);
        },
        Policy::parameters);
    return values;
}

}  // namespace detail

/// y (B, H, T, D) by the policy; keeps in `saved` what the pattern and the backward pass of layers read.
template <class Policy>
void attention_forward(ref, attention_problem<double> const& p, attention_saved<double>& saved, heads<double> y) {
    saved.template resize<Policy>(p);
    for (index_t b = 0; b < p.B; ++b)
        for (index_t h = 0; h < p.H; ++h) {
            auto const s = detail::run_head<Policy>(p, b, h);
            detail::matrix const result = detail::value_of<Policy>(Policy::output, detail::output_values<Policy>(p, s, h));
            for (index_t t = 0; t < p.T; ++t) {
                saved.reference(b, h, t) = s.reference(t, 0);
                saved.sum(b, h, t) = s.sum(t, 0);
                for (index_t c = 0; c < p.D; ++c) {
                    y.row(b, h, t)[c] = result(t, c);
                    if constexpr (Policy::has_output) saved.core(b, t, h * p.D + c) = s.o(t, c);
                }
            }
        }
}

/// Gradients from dy. Everything is computed again from the inputs; `saved` and y are not read.
template <class Policy>
void attention_backward(ref, attention_problem<double> const& p, attention_saved<double> const&, heads<double const>, heads<double const> dy,
                        attention_gradients<double> const& gradients) {
    using detail::matrix;
    index_t const T = p.T;
    for (index_t b = 0; b < p.B; ++b)
        for (index_t h = 0; h < p.H; ++h) {
            auto const s = detail::run_head<Policy>(p, b, h);
            auto const values = detail::output_values<Policy>(p, s, h);
            auto d = detail::zero_gradients(values);
            detail::pull_back<Policy>(Policy::output, values, d, detail::rows_of(dy, b, h, T, p.D));

            matrix const d_weights = xt::linalg::dot(d.output, xt::transpose(s.v));   // (T, T)
            matrix d_scores = xt::zeros_like(s.scores);
            for (index_t i = 0; i < T; ++i) {
                key_range const keys = Policy::mask::keys(i, T);
                // dE/dZ of the row: through every weight, and through log Z.
                double d_sum = 0;
                if constexpr (Policy::has_sum) {
                    for (index_t j = keys.begin; j < keys.end; ++j) {
                        auto const w = expr::evaluate<expr::sum_tag>(Policy::weight, detail::entry(p, s, i, j, keys));
                        if constexpr (w.varies) d_sum += d_weights(i, j) * w.derivative;
                    }
                    if (Policy::reads_log_normalizer && keys.begin < keys.end) d_sum += d.log_normalizer(i, 0) / s.sum(i, 0);
                }
                for (index_t j = keys.begin; j < keys.end; ++j) {
                    auto const at = detail::entry(p, s, i, j, keys);
                    auto const w = expr::evaluate<expr::score_tag>(Policy::weight, at);
                    if constexpr (w.varies) d_scores(i, j) += d_weights(i, j) * w.derivative;
                    if constexpr (Policy::has_sum) d_scores(i, j) += d_sum * expr::evaluate<expr::score_tag>(Policy::summand, at).derivative;
                }
            }
            matrix const dq = d.query + p.scale * xt::linalg::dot(d_scores, s.k);
            matrix const dk = p.scale * xt::linalg::dot(xt::transpose(d_scores), s.q);
            matrix const dv = xt::linalg::dot(xt::transpose(s.weights), d.output);
            for (index_t t = 0; t < T; ++t) {
                for (index_t c = 0; c < p.D; ++c) {
                    gradients.q.row(b, h, t)[c] = dq(t, c);
                    gradients.k.row(b, h, t)[c] = dk(t, c);
                    gradients.v.row(b, h, t)[c] = dv(t, c);
                }
                if (gradients.input && p.input)
                    for (index_t c = 0; c < p.width; ++c) gradients.input[(b * T + t) * p.width + c] += d.input(t, c);
            }
            for (std::size_t i = 0; i < Policy::parameter_count; ++i) {
                auto const n = static_cast<index_t>(d.parameters[i].size());
                for (index_t c = 0; c < n; ++c) gradients.parameters[i][h * n + c] += d.parameters[i](0, c);
            }
        }
}

}  // namespace attnlab
