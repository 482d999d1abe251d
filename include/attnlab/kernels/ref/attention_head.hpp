#pragma once
#include <algorithm>
#include <cstddef>
#include <tuple>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/ref/row_expression.hpp>
#include <attnlab/kernels/ref/weights.hpp>

/// \file
/// One head of attention, forward, with whole T x T matrices in double.

namespace attnlab::detail {

/// All that backward looks at again.
struct head_state {
    row_values facts;                 ///< what the joints of this head may read
    row_values key_facts;             ///< the same for those of its keys and values
    matrix given_q, given_k, given_v; ///< (T, D)
    matrix q, k, v;                   ///< (T, D), after the prologue
    matrix products, scores;          ///< (T, T): scaled, before and after the score joint
    weight_matrix w;
    matrix o;                         ///< (T, D): sum_j w_ij v_j
};

[[gnu::noinline]] inline matrix rows_of(heads<double const> x, index_t b, index_t h, index_t T, index_t D) {
    matrix out(T, D);
    for (index_t t = 0; t < T; ++t)
        for (index_t c = 0; c < D; ++c) out(t, c) = x.row(b, h, t)[c];
    return out;
}

/// A head's numbers of a parameter: (1, n), or (D, C) of a matrix.
template <class P>
matrix numbers_of(P const& parameter, attention_problem<double> const& p, double const* all, index_t h) {
    index_t const n = P::per_head(p.sizes()), rows = requires { typename P::matrix_tag; } ? p.D : 1;
    matrix out(rows, n / rows);
    std::copy_n(all + offset_of(parameter, p.sizes(), h), n, out.numbers.begin());
    return out;
}

/// What the joints of head h may read before anything is computed.
template <class Policy>
row_values facts_of(attention_problem<double> const& p, index_t b, index_t h) {
    row_values at;
    at.scale = p.scale;
    at.head_size = p.D, at.head = h, at.heads = p.H;
    if (p.input) at.input = rows_of({p.input, p.T * p.width, 0, p.width}, b, 0, p.T, p.width);
    at.query = matrix(p.T, p.D);
    at.log_normalizer = at.length = at.visible = at.position = at.tokens = matrix(p.T, 1);
    at.key_position = at.distance = matrix(p.T, p.T);
    for (index_t i = 0; i < p.T; ++i) {
        auto const keys = p.visible<Policy>(b, i);
        auto const n = p.lengths(keys.count());
        at.length(i, 0) = n.length;
        at.visible(i, 0) = n.visible;
        at.position(i, 0) = static_cast<double>(i);
        // The first key seen stands in for those not seen: formulas are as finite there as where they count, so that an adjoint of 0
        // stays 0 on its way back.
        index_t first = -1;
        keys.each([&](index_t j) { first = first < 0 ? j : first; });
        for (index_t j = 0; j < p.T; ++j) {
            index_t const key = keys.sees(j) ? j : first < 0 ? i : first;
            at.key_position(i, j) = static_cast<double>(key);
            at.distance(i, j) = static_cast<double>(i - key);
        }
    }
    auto const take = [&](auto const& parameter) {
        at.parameters.push_back(numbers_of(parameter, p, p.parameters[at.parameters.size()], h));
    };
    std::apply([&](auto const&... e) { (take(e), ...); }, Policy::parameters);
    return at;
}

template <class Policy>
head_state run_head(attention_problem<double> const& p, index_t b, index_t h) {
    head_state s;
    s.facts = s.key_facts = facts_of<Policy>(p, b, h);
    s.key_facts.head = p.kv_head(h), s.key_facts.heads = p.kv_heads();

    s.given_q = rows_of(p.q, b, h, p.T, p.D);
    s.given_k = rows_of(p.k, b, p.kv_head(h), p.T, p.D);
    s.given_v = rows_of(p.v, b, p.kv_head(h), p.T, p.D);
    s.q = applied<Policy>(Policy::query, s.facts, s.given_q);
    s.k = applied<Policy>(Policy::key, s.key_facts, s.given_k);
    s.v = applied<Policy>(Policy::value, s.key_facts, s.given_v);

    matrix const products = product(s.q, transposed(s.k));
    s.products = matrix(p.T, p.T);
    for (index_t i = 0; i < p.T; ++i)
        for (index_t j = 0; j < p.T; ++j) s.products(i, j) = p.scale * products(i, static_cast<index_t>(s.facts.key_position(i, j)));
    if constexpr (Policy::has_tokens) s.facts.tokens = token_values<Policy>(Policy::tokens, s.facts);
    s.scores = applied<Policy>(Policy::score, s.facts, s.products);
    s.w = weights_of<Policy>(p, b, s.scores);

    // Over the keys of each row, not as one product: 0 times a NaN that the row does not see would be a NaN.
    s.o = matrix(p.T, p.D);
    for (index_t i = 0; i < p.T; ++i)
        p.visible<Policy>(b, i).each([&](index_t j) {
            for (index_t c = 0; c < p.D; ++c) s.o(i, c) += s.w.weights(i, j) * s.v(j, c);
        });
    s.facts.query = s.q;
    s.facts.log_normalizer = s.w.log_normalizer;
    return s;
}

}  // namespace attnlab::detail
