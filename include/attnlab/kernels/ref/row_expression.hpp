#pragma once
#include <algorithm>
#include <cmath>

#include <attnlab/attention/functions.hpp>
#include <attnlab/attention/per_token.hpp>
#include <attnlab/attention/rotate.hpp>
#include <attnlab/kernels/ref/row_values.hpp>

/// \file
/// A joint's formula on all rows of a head at once: its value, and in reverse its gradients. Every value is computed again where it is
/// needed; an adjoint has the shape of its value.

namespace attnlab::detail {

template <class Policy, class Op, class A>
matrix value_of(expr::unary<Op, A> const& e, row_values<Policy> const& v) {
    matrix y = value_of<Policy>(e.a, v);
    for (double& x : y) x = Op::value(x);
    return y;
}
template <class Policy, class Op, class A>
void pull_back(expr::unary<Op, A> const& e, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    matrix slope = value_of<Policy>(e.a, v);
    for (double& x : slope) x = Op::derivative(x, Op::value(x));
    pull_back<Policy>(e.a, v, d, adjoint * slope);
}

template <class Policy, class A, class B>
matrix value_of(expr::inner<A, B> const& e, row_values<Policy> const& v) {
    return xt::sum(value_of<Policy>(e.a, v) * value_of<Policy>(e.b, v), {1}, xt::keep_dims);
}
template <class Policy, class A, class B>
void pull_back(expr::inner<A, B> const& e, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    matrix const a = value_of<Policy>(e.a, v), b = value_of<Policy>(e.b, v);
    pull_back<Policy>(e.a, v, d, summed_to(adjoint * b, a));
    pull_back<Policy>(e.b, v, d, summed_to(adjoint * a, b));
}

template <class Policy, class Op, class A, class B>
matrix value_of(expr::binary<Op, A, B> const& e, row_values<Policy> const& v) {
    matrix const a = value_of<Policy>(e.a, v), b = value_of<Policy>(e.b, v);
    std::size_t const rows = std::max(a.shape(0), b.shape(0)), columns = std::max(a.shape(1), b.shape(1));
    matrix const y = spread(b, rows, columns);
    matrix out = spread(a, rows, columns);
    for (std::size_t i = 0; i < out.size(); ++i) out.flat(i) = Op::value(out.flat(i), y.flat(i));
    return out;
}
template <class Policy, class Op, class A, class B>
void pull_back(expr::binary<Op, A, B> const& e, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    matrix const a = value_of<Policy>(e.a, v), b = value_of<Policy>(e.b, v);
    matrix da = spread(a, adjoint.shape(0), adjoint.shape(1)), db = spread(b, adjoint.shape(0), adjoint.shape(1));
    for (std::size_t i = 0; i < adjoint.size(); ++i) {
        double const x = da.flat(i), y = db.flat(i);
        auto const [to_a, to_b] = Op::pull(adjoint.flat(i), x, y, Op::value(x, y));
        da.flat(i) = to_a;
        db.flat(i) = to_b;
    }
    pull_back<Policy>(e.a, v, d, summed_to(da, a));
    pull_back<Policy>(e.b, v, d, summed_to(db, b));
}

/// Rows whose pairs of channels are turned by `direction` times the angles of their positions.
template <class Rotation>
matrix turned(matrix rows, matrix const& position, double direction) {
    rotary_pairs const pairs = Rotation::pairs(static_cast<index_t>(rows.shape(1)));
    index_t const half = pairs.rotated / 2;
    for (std::size_t t = 0; t < rows.shape(0); ++t)
        for (index_t p = 0; p < half; ++p) {
            double const angle = direction * position(t, 0) * Rotation::frequency(p, pairs);
            double& x = rows(t, pairs.interleaved ? 2 * p : p);
            double& y = rows(t, pairs.interleaved ? 2 * p + 1 : p + half);
            double const x0 = x;
            x = x0 * std::cos(angle) - y * std::sin(angle);
            y = y * std::cos(angle) + x0 * std::sin(angle);
        }
    return rows;
}
template <class Policy, class A, class Rotation>
matrix value_of(expr::rotated<A, Rotation> const& e, row_values<Policy> const& v) {
    matrix const a = value_of<Policy>(e.a, v);
    return turned<Rotation>(spread(a, v.position.shape(0), a.shape(1)), v.position, 1);
}
template <class Policy, class A, class Rotation>
void pull_back(expr::rotated<A, Rotation> const& e, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    pull_back<Policy>(e.a, v, d, summed_to(turned<Rotation>(adjoint, v.position, -1), value_of<Policy>(e.a, v)));
}

/// The numbers of all tokens (T, 1) by the formula of a score.
template <class Policy, class A, bool Scan, expr::side At>
matrix token_values(expr::token_number<A, Scan, At> const& e, row_values<Policy> const& v) {
    matrix y = spread(value_of<Policy>(e.a, v), v.position.shape(0), 1);
    if constexpr (Scan)
        for (std::size_t t = 1; t < y.shape(0); ++t) y(t, 0) += y(t - 1, 0);
    return y;
}
/// Passes the tokens' adjoints, gathered in d.tokens, on to what their formula reads.
template <class Policy, class A, bool Scan, expr::side At>
void pull_tokens(expr::token_number<A, Scan, At> const& e, row_values<Policy> const& v, row_values<Policy>& d) {
    matrix adjoint = d.tokens;
    if constexpr (Scan)
        for (std::size_t t = adjoint.shape(0); t-- > 1;) adjoint(t - 1, 0) += adjoint(t, 0);
    pull_back<Policy>(e.a, v, d, summed_to(adjoint, value_of<Policy>(e.a, v)));
}

/// What a joint's formula makes of `source`.
template <class Policy, class Formula>
matrix applied(Formula const& f, row_values<Policy> at, matrix const& source) {
    at.source = source;
    return spread(value_of<Policy>(f, at), source.shape(0), source.shape(1));
}
/// The gradient of `source`, given that of what the joint made of it; the gradients of all else are added to `d`.
template <class Policy, class Formula>
matrix pulled(Formula const& f, row_values<Policy> at, matrix const& source, row_values<Policy>& d, matrix const& adjoint) {
    at.source = source;
    d.source = xt::zeros_like(source);
    pull_back<Policy>(f, at, d, summed_to(adjoint, value_of<Policy>(f, at)));
    return d.source;
}

}  // namespace attnlab::detail
