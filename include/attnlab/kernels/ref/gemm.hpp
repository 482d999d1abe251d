#pragma once
#include <algorithm>
#include <limits>

#include <attnlab/core/cblas.hpp>

#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>

namespace attnlab {

/// c = alpha op(a) op(b) + beta c, row-major, in double: op(a) is (m,k), op(b) (k,n), c (m,n); lda, ldb, ldc are lengths of the
/// stored rows. With beta = 0, c is only written. \throws error for a size beyond an int
inline void gemm(ref, bool transpose_a, bool transpose_b, index_t m, index_t n, index_t k, double alpha, double const* a, index_t lda,
                 double const* b, index_t ldb, double beta, double* c, index_t ldc) {
    if (m == 0 || n == 0) return;
    constexpr index_t largest = std::numeric_limits<int>::max();
    require(std::max({m, n, k, lda, ldb, ldc}) <= largest, "gemm: m ", m, ", n ", n, ", k ", k, ": expected at most ", largest);
    auto const i = [](index_t x) { return static_cast<int>(x); };
    cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, i(m), i(n), i(k),
                alpha, a, i(lda), b, i(ldb), beta, c, i(ldc));
}

}  // namespace attnlab
