#pragma once
#include <array>

#include <attnlab/attention/functions.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/core/xt.hpp>

/// \file
/// An output joint on all rows of a head at once, in xtensor: numbers of a row are (T, 1), rows (T, D) or (T, C), parameters (1, n).
/// Values broadcast; an adjoint is summed over the axes along which its value was broadcast.

namespace attnlab::detail {

using matrix = xt::xtensor<double, 2>;

/// What the symbols stand for, or their gradients.
template <class Policy>
struct row_values {
    matrix output, query, input, log_normalizer;
    double scale = 1;
    std::array<matrix, Policy::parameter_count> parameters;
};

template <class Policy>
row_values<Policy> zero_gradients(row_values<Policy> const& like) {
    auto zero = like;
    for (matrix* m : {&zero.output, &zero.query, &zero.input, &zero.log_normalizer}) m->fill(0);
    for (matrix& m : zero.parameters) m.fill(0);
    return zero;
}

template <class Policy>
matrix value_of(expr::constant const& c, row_values<Policy> const&) {
    return matrix({1, 1}, c.value);
}

/// The matrix a symbol stands for, in values or in gradients.
template <class Policy, class Values, class Tag, expr::length N>
auto& symbol_in(expr::symbol<Tag, N> const&, Values& v) {
    if constexpr (std::is_same_v<Tag, expr::output_tag>)
        return v.output;
    else if constexpr (std::is_same_v<Tag, expr::query_tag>)
        return v.query;
    else if constexpr (std::is_same_v<Tag, expr::input_tag>)
        return v.input;
    else
        return v.log_normalizer;
}

template <class Policy, class Tag, expr::length N>
matrix value_of(expr::symbol<Tag, N> const& e, row_values<Policy> const& v) {
    if constexpr (std::is_same_v<Tag, expr::scale_tag>)
        return matrix({1, 1}, v.scale);
    else
        return symbol_in<Policy>(e, v);
}
template <class Policy, class E>
    requires requires { E::name; }
matrix value_of(E const&, row_values<Policy> const& v) {
    return v.parameters[Policy::position_of(E::name)];
}
template <class Policy, class Op, class A>
matrix value_of(expr::unary<Op, A> const& e, row_values<Policy> const& v) {
    matrix y = value_of<Policy>(e.a, v);
    for (double& x : y) x = Op::value(x);
    return y;
}
template <class Policy, class A, class B>
matrix value_of(expr::inner<A, B> const& e, row_values<Policy> const& v) {
    return xt::sum(value_of<Policy>(e.a, v) * value_of<Policy>(e.b, v), {1}, xt::keep_dims);
}
template <class Policy, class Op, class A, class B>
matrix value_of(expr::binary<Op, A, B> const& e, row_values<Policy> const& v) {
    matrix const a = value_of<Policy>(e.a, v), b = value_of<Policy>(e.b, v);
    if constexpr (std::is_same_v<Op, expr::add_op>)
        return a + b;
    else if constexpr (std::is_same_v<Op, expr::subtract_op>)
        return a - b;
    else if constexpr (std::is_same_v<Op, expr::multiply_op>)
        return a * b;
    else
        return a / b;
}

/// `adjoint` summed to the shape of `like`.
inline matrix summed_to(matrix adjoint, matrix const& like) {
    if (like.shape(0) == 1 && adjoint.shape(0) != 1) adjoint = matrix(xt::sum(adjoint, {0}, xt::keep_dims));
    if (like.shape(1) == 1 && adjoint.shape(1) != 1) adjoint = matrix(xt::sum(adjoint, {1}, xt::keep_dims));
    return adjoint;
}

template <class Policy>
void pull_back(expr::constant const&, row_values<Policy> const&, row_values<Policy>&, matrix const&) {}

template <class Policy, class Tag, expr::length N>
void pull_back(expr::symbol<Tag, N> const& e, row_values<Policy> const&, row_values<Policy>& d, matrix const& adjoint) {
    if constexpr (!std::is_same_v<Tag, expr::scale_tag>) {
        matrix& to = symbol_in<Policy>(e, d);
        to = matrix(to + summed_to(adjoint, to));
    }
}
template <class Policy, class E>
    requires requires { E::name; }
void pull_back(E const&, row_values<Policy> const&, row_values<Policy>& d, matrix const& adjoint) {
    matrix& to = d.parameters[Policy::position_of(E::name)];
    to = matrix(to + summed_to(adjoint, to));
}
template <class Policy, class Op, class A>
void pull_back(expr::unary<Op, A> const& e, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    matrix slope = value_of<Policy>(e.a, v);
    for (double& x : slope) x = Op::derivative(x, Op::value(x));
    pull_back<Policy>(e.a, v, d, summed_to(adjoint * slope, slope));
}
template <class Policy, class A, class B>
void pull_back(expr::inner<A, B> const& e, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    matrix const a = value_of<Policy>(e.a, v), b = value_of<Policy>(e.b, v);
    pull_back<Policy>(e.a, v, d, summed_to(adjoint * b, a));
    pull_back<Policy>(e.b, v, d, summed_to(adjoint * a, b));
}
template <class Policy, class Op, class A, class B>
void pull_back(expr::binary<Op, A, B> const& e, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    matrix const a = value_of<Policy>(e.a, v), b = value_of<Policy>(e.b, v);
    matrix da, db;
    if constexpr (std::is_same_v<Op, expr::add_op>) {
        da = adjoint;
        db = adjoint;
    } else if constexpr (std::is_same_v<Op, expr::subtract_op>) {
        da = adjoint;
        db = -adjoint;
    } else if constexpr (std::is_same_v<Op, expr::multiply_op>) {
        da = adjoint * b;
        db = adjoint * a;
    } else {
        da = adjoint / b;
        db = -adjoint * a / (b * b);
    }
    pull_back<Policy>(e.a, v, d, summed_to(da, a));
    pull_back<Policy>(e.b, v, d, summed_to(db, b));
}

}  // namespace attnlab::detail
