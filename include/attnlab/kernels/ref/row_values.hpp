#pragma once
#include <cstddef>
#include <type_traits>
#include <vector>

#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/per_token.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/kernels/ref/matrix.hpp>

/// \file
/// What the symbols of a joint stand for, on all rows of a head at once: numbers of a row are (T, 1), rows (T, D) or (T, C), rows of keys
/// (T, T), parameters (1, n) or (D, C), numbers that all rows share (1, 1). Beside larger ones, single rows and columns are repeated.

namespace attnlab::detail {

/// What the symbols stand for, or their gradients.
struct row_values {
    matrix source;                      ///< what the joint changes: (T, D), or the scaled scores (T, T)
    matrix query, input;                ///< (T, D) after the prologue, (T, C)
    matrix log_normalizer;              ///< (T, 1)
    matrix length, visible, position;   ///< (T, 1)
    matrix key_position, distance;      ///< (T, T)
    matrix tokens;                      ///< (T, 1): the token numbers, summed along the sequence where asked
    double scale = 1;
    index_t head_size = 0, head = 0, heads = 1;
    std::vector<matrix> parameters;     ///< in the policy's order
};

inline row_values zero_gradients(row_values const& like) {
    auto zero = like;
    for (matrix* m : {&zero.query, &zero.input, &zero.log_normalizer, &zero.tokens}) *m = matrix(m->rows, m->columns);
    for (matrix& m : zero.parameters) m = matrix(m.rows, m.columns);
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
/// Whether a symbol has a gradient.
template <class Tag>
inline constexpr bool is_variable = std::is_same_v<Tag, expr::source_tag> || std::is_same_v<Tag, expr::query_tag> ||
                                    std::is_same_v<Tag, expr::input_tag> || std::is_same_v<Tag, expr::log_normalizer_tag>;

/// The columns of x that belong to the head, and their gradient.
inline matrix head_input(row_values const& v) {
    matrix out(v.input.rows, v.head_size);
    for (index_t t = 0; t < out.rows; ++t)
        for (index_t c = 0; c < out.columns; ++c) out(t, c) = v.input(t, v.head * v.head_size + c);
    return out;
}
inline void pull_head_input(row_values const& v, row_values& d, matrix const& adjoint) {
    for (index_t t = 0; t < adjoint.rows; ++t)
        for (index_t c = 0; c < adjoint.columns; ++c) d.input(t, v.head * v.head_size + c) += adjoint(t, c);
}

template <class Policy>
matrix value_of(expr::constant const& c, row_values const&) {
    return matrix(1, 1, c.value);
}
template <class Policy>
void pull_back(expr::constant const&, row_values const&, row_values&, matrix const&) {}

template <class Policy, class Tag, expr::length N>
matrix value_of(expr::symbol<Tag, N> const&, row_values const& v) {
    if constexpr (std::is_same_v<Tag, expr::scale_tag>)
        return matrix(1, 1, v.scale);
    else if constexpr (std::is_same_v<Tag, expr::head_size_tag>)
        return matrix(1, 1, static_cast<double>(v.head_size));
    else if constexpr (std::is_same_v<Tag, expr::head_tag>)
        return matrix(1, 1, static_cast<double>(v.head));
    else if constexpr (std::is_same_v<Tag, expr::heads_tag>)
        return matrix(1, 1, static_cast<double>(v.heads));
    else if constexpr (std::is_same_v<Tag, expr::head_input_tag>)
        return head_input(v);
    else
        return matrix_of<Tag>(v);
}
template <class Policy, class Tag, expr::length N>
void pull_back(expr::symbol<Tag, N> const&, [[maybe_unused]] row_values const& v, row_values& d, matrix const& adjoint) {
    if constexpr (std::is_same_v<Tag, expr::head_input_tag>)
        pull_head_input(v, d, adjoint);
    else if constexpr (is_variable<Tag>)
        matrix_of<Tag>(d) += adjoint;
}

template <class Policy, class F>
matrix value_of(expr::head_function<F> const&, row_values const& v) {
    return matrix(1, 1, static_cast<double>(F{}(static_cast<double>(v.head), static_cast<double>(v.heads))));
}
template <class Policy, class F>
void pull_back(expr::head_function<F> const&, row_values const&, row_values&, matrix const&) {}

/// A parameter: the numbers of this head.
template <class Policy, class E>
    requires requires { typename E::learned_tag; }
matrix value_of(E const&, row_values const& v) {
    return v.parameters[Policy::position_of(E::name)];
}
template <class Policy, class E>
    requires requires { typename E::learned_tag; }
void pull_back(E const&, row_values const&, row_values& d, matrix const& adjoint) {
    d.parameters[Policy::position_of(E::name)] += adjoint;
}

/// x W_h^T.
template <class Policy, class Matrix>
matrix value_of(expr::projected<Matrix> const&, row_values const& v) {
    return product(v.input, transposed(v.parameters[Policy::position_of(Matrix::name)]));
}
template <class Policy, class Matrix>
void pull_back(expr::projected<Matrix> const&, row_values const& v, row_values& d, matrix const& adjoint) {
    constexpr std::size_t i = Policy::position_of(Matrix::name);
    d.input += product(adjoint, v.parameters[i]);
    d.parameters[i] += product(transposed(adjoint), v.input);
}

/// An entry of the head's table for each query and key.
template <class Policy, class Table, class Bucket>
matrix value_of(expr::looked_up<Table, Bucket> const& e, row_values const& v) {
    matrix y = v.distance;
    for (double& x : y.numbers) x = v.parameters[Policy::position_of(Table::name)](0, e.bucket(static_cast<index_t>(x)));
    return y;
}
template <class Policy, class Table, class Bucket>
void pull_back(expr::looked_up<Table, Bucket> const& e, row_values const& v, row_values& d, matrix const& adjoint) {
    matrix& table = d.parameters[Policy::position_of(Table::name)];
    for (index_t i = 0; i < adjoint.rows; ++i)
        for (index_t j = 0; j < adjoint.columns; ++j) table(0, e.bucket(static_cast<index_t>(v.distance(i, j)))) += adjoint(i, j);
}

/// A token's number at the query: all of them, one for each row.
template <class Policy, class A, bool Scan>
matrix value_of(expr::token_number<A, Scan, expr::side::query> const&, row_values const& v) {
    return v.tokens;
}
template <class Policy, class A, bool Scan>
void pull_back(expr::token_number<A, Scan, expr::side::query> const&, row_values const&, row_values& d,
               matrix const& adjoint) {
    d.tokens += adjoint;
}
/// A token's number at each key.
template <class Policy, class A, bool Scan>
matrix value_of(expr::token_number<A, Scan, expr::side::key> const&, row_values const& v) {
    matrix y = v.key_position;
    for (double& x : y.numbers) x = v.tokens(static_cast<index_t>(x), 0);
    return y;
}
template <class Policy, class A, bool Scan>
void pull_back(expr::token_number<A, Scan, expr::side::key> const&, row_values const& v, row_values& d,
               matrix const& adjoint) {
    for (index_t i = 0; i < adjoint.rows; ++i)
        for (index_t j = 0; j < adjoint.columns; ++j) d.tokens(static_cast<index_t>(v.key_position(i, j)), 0) += adjoint(i, j);
}

}  // namespace attnlab::detail
