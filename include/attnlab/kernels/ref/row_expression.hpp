#pragma once
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
matrix value_of(expr::unary<Op, A> const& e, row_values const& v) {
    return map(value_of<Policy>(e.a, v), Op::template value<double>);
}
template <class Policy, class Op, class A>
void pull_back(expr::unary<Op, A> const& e, row_values const& v, row_values& d, matrix const& adjoint) {
    auto const pull = [](double g, double x) { return g * Op::derivative(x, Op::value(x)); };
    pull_back<Policy>(e.a, v, d, zip(adjoint, value_of<Policy>(e.a, v), pull));
}

template <class Policy, class A, class B>
matrix value_of(expr::inner<A, B> const& e, row_values const& v) {
    matrix const terms = times(value_of<Policy>(e.a, v), value_of<Policy>(e.b, v));
    return summed_to(terms, matrix(terms.rows, 1));
}
template <class Policy, class A, class B>
void pull_back(expr::inner<A, B> const& e, row_values const& v, row_values& d, matrix const& adjoint) {
    matrix const a = value_of<Policy>(e.a, v), b = value_of<Policy>(e.b, v);
    pull_back<Policy>(e.a, v, d, summed_to(times(adjoint, b), a));
    pull_back<Policy>(e.b, v, d, summed_to(times(adjoint, a), b));
}

template <class Policy, class Op, class A, class B>
matrix value_of(expr::binary<Op, A, B> const& e, row_values const& v) {
    return zip(value_of<Policy>(e.a, v), value_of<Policy>(e.b, v), Op::template value<double>);
}
template <class Policy, class Op, class A, class B>
void pull_back(expr::binary<Op, A, B> const& e, row_values const& v, row_values& d, matrix const& adjoint) {
    matrix const a = value_of<Policy>(e.a, v), b = value_of<Policy>(e.b, v);
    matrix da(adjoint.rows, adjoint.columns), db = da;
    for (index_t i = 0; i < adjoint.rows; ++i)
        for (index_t j = 0; j < adjoint.columns; ++j) {
            double const x = a.repeated(i, j), y = b.repeated(i, j);
            auto const [to_a, to_b] = Op::pull(adjoint(i, j), x, y, Op::value(x, y));
            da(i, j) = to_a;
            db(i, j) = to_b;
        }
    pull_back<Policy>(e.a, v, d, summed_to(da, a));
    pull_back<Policy>(e.b, v, d, summed_to(db, b));
}

/// Rows whose pairs of channels are turned by `direction` times the angles of their positions.
template <class Rotation>
matrix turned(matrix rows, matrix const& position, double direction) {
    rotary_pairs const pairs = Rotation::pairs(rows.columns);
    index_t const half = pairs.rotated / 2;
    for (index_t t = 0; t < rows.rows; ++t)
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
matrix value_of(expr::rotated<A, Rotation> const& e, row_values const& v) {
    matrix const a = value_of<Policy>(e.a, v);
    return turned<Rotation>(spread(a, v.position.rows, a.columns), v.position, 1);
}
template <class Policy, class A, class Rotation>
void pull_back(expr::rotated<A, Rotation> const& e, row_values const& v, row_values& d, matrix const& adjoint) {
    pull_back<Policy>(e.a, v, d, summed_to(turned<Rotation>(adjoint, v.position, -1), value_of<Policy>(e.a, v)));
}

/// The numbers of all tokens (T, 1) by the formula of a score.
template <class Policy, class A, bool Scan, expr::side At>
matrix token_values(expr::token_number<A, Scan, At> const& e, row_values const& v) {
    matrix y = spread(value_of<Policy>(e.a, v), v.position.rows, 1);
    if constexpr (Scan)
        for (index_t t = 1; t < y.rows; ++t) y(t, 0) += y(t - 1, 0);
    return y;
}
/// Passes the tokens' adjoints, gathered in d.tokens, on to what their formula reads.
template <class Policy, class A, bool Scan, expr::side At>
void pull_tokens(expr::token_number<A, Scan, At> const& e, row_values const& v, row_values& d) {
    matrix adjoint = d.tokens;
    if constexpr (Scan)
        for (index_t t = adjoint.rows; t-- > 1;) adjoint(t - 1, 0) += adjoint(t, 0);
    pull_back<Policy>(e.a, v, d, summed_to(adjoint, value_of<Policy>(e.a, v)));
}

/// What a joint's formula makes of `source`.
template <class Policy, class Formula>
matrix applied(Formula const& f, row_values at, matrix const& source) {
    at.source = source;
    return spread(value_of<Policy>(f, at), source.rows, source.columns);
}
/// The gradient of `source`, given that of what the joint made of it; the gradients of all else are added to `d`.
template <class Policy, class Formula>
matrix pulled(Formula const& f, row_values at, matrix const& source, row_values& d, matrix const& adjoint) {
    at.source = source;
    d.source = matrix(source.rows, source.columns);
    pull_back<Policy>(f, at, d, summed_to(adjoint, value_of<Policy>(f, at)));
    return d.source;
}

}  // namespace attnlab::detail
