#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include <attnlab/core/view.hpp>

/// \file
/// A matrix of doubles and what the reference of attention does with it, as plain loops. That reference is compiled for every policy,
/// and xtensor's expressions would take most of that time; these are no templates and, never inlined, are compiled once.

namespace attnlab::detail {

struct matrix {
    index_t rows = 0, columns = 0;
    std::vector<double> numbers;   ///< row by row

    matrix() = default;
    matrix(index_t row_count, index_t column_count, double value = 0)
        : rows(row_count), columns(column_count), numbers(static_cast<std::size_t>(row_count * column_count), value) {}

    double& operator()(index_t i, index_t j) { return numbers[static_cast<std::size_t>(i * columns + j)]; }
    double operator()(index_t i, index_t j) const { return numbers[static_cast<std::size_t>(i * columns + j)]; }
    /// Entry (i, j), a single row or column standing for all.
    double repeated(index_t i, index_t j) const { return (*this)(rows == 1 ? 0 : i, columns == 1 ? 0 : j); }

    /// \pre equal shapes
    matrix& operator+=(matrix const& m) {
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] += m.numbers[i];
        return *this;
    }
};

/// f(m_ij).
[[gnu::noinline]] inline matrix map(matrix m, double (*f)(double)) {
    for (double& x : m.numbers) x = f(x);
    return m;
}
/// f(a_ij, b_ij), with single rows and columns repeated.
[[gnu::noinline]] inline matrix zip(matrix const& a, matrix const& b, double (*f)(double, double)) {
    matrix out(std::max(a.rows, b.rows), std::max(a.columns, b.columns));
    for (index_t i = 0; i < out.rows; ++i)
        for (index_t j = 0; j < out.columns; ++j) out(i, j) = f(a.repeated(i, j), b.repeated(i, j));
    return out;
}
/// a_ij b_ij, with single rows and columns repeated.
inline matrix times(matrix const& a, matrix const& b) {
    return zip(a, b, [](double x, double y) { return x * y; });
}
/// `m` repeated to rows x columns.
[[gnu::noinline]] inline matrix spread(matrix const& m, index_t rows, index_t columns) {
    matrix out(rows, columns);
    for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < columns; ++j) out(i, j) = m.repeated(i, j);
    return out;
}
/// `adjoint` summed to the shape of `like`, over the axes along which that was repeated.
[[gnu::noinline]] inline matrix summed_to(matrix const& adjoint, matrix const& like) {
    matrix out(like.rows, like.columns);
    for (index_t i = 0; i < adjoint.rows; ++i)
        for (index_t j = 0; j < adjoint.columns; ++j) out(like.rows == 1 ? 0 : i, like.columns == 1 ? 0 : j) += adjoint(i, j);
    return out;
}

/// a b.
[[gnu::noinline]] inline matrix product(matrix const& a, matrix const& b) {
    matrix out(a.rows, b.columns);
    for (index_t i = 0; i < a.rows; ++i)
        for (index_t k = 0; k < a.columns; ++k)
            for (index_t j = 0; j < b.columns; ++j) out(i, j) += a(i, k) * b(k, j);
    return out;
}
[[gnu::noinline]] inline matrix transposed(matrix const& m) {
    matrix out(m.columns, m.rows);
    for (index_t i = 0; i < m.rows; ++i)
        for (index_t j = 0; j < m.columns; ++j) out(j, i) = m(i, j);
    return out;
}

}  // namespace attnlab::detail
