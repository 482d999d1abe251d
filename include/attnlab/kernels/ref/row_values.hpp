#pragma once
#include <array>
#include <cstddef>
#include <type_traits>

#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/per_token.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/core/xt.hpp>

/// \file
/// What the symbols of a joint stand for, on all rows of a head at once, in xtensor: numbers of a row are (T, 1), rows (T, D) or (T, C),
/// rows of keys (T, T), parameters (1, n) or (D, C), numbers that all rows share (1, 1). Values broadcast.

namespace attnlab::detail {

using matrix = xt::xtensor<double, 2>;

inline matrix zero_matrix(std::size_t rows, std::size_t columns) { return xt::zeros<double>({rows, columns}); }

/// `m` repeated to rows x columns.
inline matrix spread(matrix const& m, std::size_t rows, std::size_t columns) {
    matrix out = zero_matrix(rows, columns);
    out += m;
    return out;
}

/// `adjoint` summed to the shape of `like`, over the axes along which that was broadcast.
inline matrix summed_to(matrix adjoint, matrix const& like) {
    if (like.shape(0) == 1 && adjoint.shape(0) != 1) adjoint = matrix(xt::sum(adjoint, {0}, xt::keep_dims));
    if (like.shape(1) == 1 && adjoint.shape(1) != 1) adjoint = matrix(xt::sum(adjoint, {1}, xt::keep_dims));
    return adjoint;
}

/// What the symbols stand for, or their gradients.
template <class Policy>
struct row_values {
    matrix source;                      ///< what the joint changes: (T, D), or the scaled scores (T, T)
    matrix query, input;                ///< (T, D) after the prologue, (T, C)
    matrix log_normalizer;              ///< (T, 1)
    matrix length, visible, position;   ///< (T, 1)
    matrix key_position, distance;      ///< (T, T)
    matrix tokens;                      ///< (T, 1): the token numbers, summed along the sequence where asked
    double scale = 1;
    index_t head_size = 0, head = 0, heads = 1;
    std::array<matrix, Policy::parameter_count> parameters;
};

template <class Policy>
row_values<Policy> zero_gradients(row_values<Policy> const& like) {
    auto zero = like;
    for (matrix* m : {&zero.query, &zero.input, &zero.log_normalizer, &zero.tokens}) m->fill(0);
    for (matrix& m : zero.parameters) m.fill(0);
    return zero;
}

/// The matrix a symbol stands for, in values or in gradients.
template <class Tag, class Values>
auto& matrix_of(Values& v) {
    if constexpr (std::is_same_v<Tag, expr::source_tag>)
        return v.source;
    else if constexpr (std::is_same_v<Tag, expr::query_tag>)
        return v.query;
    else if constexpr (std::is_same_v<Tag, expr::input_tag>)
        return v.input;
    else if constexpr (std::is_same_v<Tag, expr::log_normalizer_tag>)
        return v.log_normalizer;
    else if constexpr (std::is_same_v<Tag, expr::length_tag>)
        return v.length;
    else if constexpr (std::is_same_v<Tag, expr::visible_tag>)
        return v.visible;
    else if constexpr (std::is_same_v<Tag, expr::position_tag>)
        return v.position;
    else if constexpr (std::is_same_v<Tag, expr::key_position_tag>)
        return v.key_position;
    else {
        static_assert(std::is_same_v<Tag, expr::distance_tag>, "this symbol does not belong in this joint");
        return v.distance;
    }
}
/// The columns of x, or of its gradient, that belong to the head.
template <class Values>
auto head_columns(Values& v, index_t head) {
    return xt::view(v.input, xt::all(), xt::range(head * v.head_size, (head + 1) * v.head_size));
}
/// Whether a symbol has a gradient.
template <class Tag>
inline constexpr bool is_variable = std::is_same_v<Tag, expr::source_tag> || std::is_same_v<Tag, expr::query_tag> ||
                                    std::is_same_v<Tag, expr::input_tag> || std::is_same_v<Tag, expr::log_normalizer_tag>;

template <class Policy>
matrix value_of(expr::constant const& c, row_values<Policy> const&) {
    return matrix({1, 1}, c.value);
}
template <class Policy>
void pull_back(expr::constant const&, row_values<Policy> const&, row_values<Policy>&, matrix const&) {}

template <class Policy, class Tag, expr::length N>
matrix value_of(expr::symbol<Tag, N> const&, row_values<Policy> const& v) {
    if constexpr (std::is_same_v<Tag, expr::scale_tag>)
        return matrix({1, 1}, v.scale);
    else if constexpr (std::is_same_v<Tag, expr::head_size_tag>)
        return matrix({1, 1}, static_cast<double>(v.head_size));
    else if constexpr (std::is_same_v<Tag, expr::head_tag>)
        return matrix({1, 1}, static_cast<double>(v.head));
    else if constexpr (std::is_same_v<Tag, expr::heads_tag>)
        return matrix({1, 1}, static_cast<double>(v.heads));
    else if constexpr (std::is_same_v<Tag, expr::head_input_tag>)
        return head_columns(v, v.head);
    else
        return matrix_of<Tag>(v);
}
template <class Policy, class Tag, expr::length N>
void pull_back(expr::symbol<Tag, N> const&, [[maybe_unused]] row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    if constexpr (std::is_same_v<Tag, expr::head_input_tag>)
        head_columns(d, v.head) += adjoint;
    else if constexpr (is_variable<Tag>)
        matrix_of<Tag>(d) += adjoint;
}

template <class Policy, class F>
matrix value_of(expr::head_function<F> const&, row_values<Policy> const& v) {
    return matrix({1, 1}, static_cast<double>(F{}(static_cast<double>(v.head), static_cast<double>(v.heads))));
}
template <class Policy, class F>
void pull_back(expr::head_function<F> const&, row_values<Policy> const&, row_values<Policy>&, matrix const&) {}

/// A parameter: the numbers of this head.
template <class Policy, class E>
    requires requires { typename E::learned_tag; }
matrix value_of(E const&, row_values<Policy> const& v) {
    return v.parameters[Policy::position_of(E::name)];
}
template <class Policy, class E>
    requires requires { typename E::learned_tag; }
void pull_back(E const&, row_values<Policy> const&, row_values<Policy>& d, matrix const& adjoint) {
    d.parameters[Policy::position_of(E::name)] += adjoint;
}

/// x W_h^T.
template <class Policy, class Matrix>
matrix value_of(expr::projected<Matrix> const&, row_values<Policy> const& v) {
    return xt::linalg::dot(v.input, xt::transpose(v.parameters[Policy::position_of(Matrix::name)]));
}
template <class Policy, class Matrix>
void pull_back(expr::projected<Matrix> const&, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    constexpr std::size_t i = Policy::position_of(Matrix::name);
    d.input += xt::linalg::dot(adjoint, v.parameters[i]);
    d.parameters[i] += xt::linalg::dot(xt::transpose(adjoint), v.input);
}

/// An entry of the head's table for each query and key.
template <class Policy, class Table, class Bucket>
matrix value_of(expr::looked_up<Table, Bucket> const& e, row_values<Policy> const& v) {
    matrix y = v.distance;
    for (double& x : y) x = v.parameters[Policy::position_of(Table::name)](0, e.bucket(static_cast<index_t>(x)));
    return y;
}
template <class Policy, class Table, class Bucket>
void pull_back(expr::looked_up<Table, Bucket> const& e, row_values<Policy> const& v, row_values<Policy>& d, matrix const& adjoint) {
    matrix& table = d.parameters[Policy::position_of(Table::name)];
    for (std::size_t i = 0; i < adjoint.shape(0); ++i)
        for (std::size_t j = 0; j < adjoint.shape(1); ++j) table(0, e.bucket(static_cast<index_t>(v.distance(i, j)))) += adjoint(i, j);
}

/// A token's number at the query: all of them, one for each row.
template <class Policy, class A, bool Scan>
matrix value_of(expr::token_number<A, Scan, expr::side::query> const&, row_values<Policy> const& v) {
    return v.tokens;
}
template <class Policy, class A, bool Scan>
void pull_back(expr::token_number<A, Scan, expr::side::query> const&, row_values<Policy> const&, row_values<Policy>& d,
               matrix const& adjoint) {
    d.tokens += adjoint;
}
/// A token's number at each key.
template <class Policy, class A, bool Scan>
matrix value_of(expr::token_number<A, Scan, expr::side::key> const&, row_values<Policy> const& v) {
    matrix y = v.key_position;
    for (double& x : y) x = v.tokens(static_cast<std::size_t>(x), 0);
    return y;
}
template <class Policy, class A, bool Scan>
void pull_back(expr::token_number<A, Scan, expr::side::key> const&, row_values<Policy> const& v, row_values<Policy>& d,
               matrix const& adjoint) {
    for (std::size_t i = 0; i < adjoint.shape(0); ++i)
        for (std::size_t j = 0; j < adjoint.shape(1); ++j) d.tokens(static_cast<std::size_t>(v.key_position(i, j)), 0) += adjoint(i, j);
}

}  // namespace attnlab::detail
