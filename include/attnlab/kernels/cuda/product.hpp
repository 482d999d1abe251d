#pragma once
#include <attnlab/core/view.hpp>

/// \file
/// How a product of row-major matrices is told to a library that thinks in columns.

namespace attnlab::gpu {

/// d = alpha op(a) op(b) + beta d (+ bias down each column), all of them stored column by column: element (i, j) of a matrix with leading
/// dimension ld is at i + j ld; op(a) is (m, k), op(b) (k, n), d (m, n).
struct column_major_product {
    bool transpose_a, transpose_b;
    index_t m, n, k, lda, ldb, ldd;

    bool operator==(column_major_product const&) const = default;
    index_t rows_of_a() const { return transpose_a ? k : m; }
    index_t columns_of_a() const { return transpose_a ? m : k; }
    index_t rows_of_b() const { return transpose_b ? n : k; }
    index_t columns_of_b() const { return transpose_b ? k : n; }
};

/// The row-major product c = op(a) op(b), its **second** factor to be given as `a` and its first as `b`: memory that is a matrix by rows is
/// its transpose by columns, and c^T = op(b)^T op(a)^T, where op(b)^T is what lies there, or its transpose where op transposes.
inline column_major_product by_columns(bool transpose_a, bool transpose_b, index_t m, index_t n, index_t k, index_t lda, index_t ldb, index_t ldc) {
    return {transpose_b, transpose_a, n, m, k, ldb, lda, ldc};
}

}  // namespace attnlab::gpu
