#pragma once
#include <algorithm>
#include <limits>

#ifdef ATTNLAB_USE_ONEDNN
#include <oneapi/dnnl/dnnl.h>

#include <attnlab/kernels/cpu/product_tiles.hpp>
#else
#include <attnlab/core/cblas.hpp>
#endif

#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// The seam to a library's matrix product. oneDNN where found: OpenBLAS 0.3.21 does not know newer CPUs and takes kernels of half
/// the speed there.

namespace attnlab {

/// c = alpha op(a) op(b) + beta c, row-major: op(a) is (m,k), op(b) (k,n), c (m,n); lda, ldb, ldc are lengths of the stored rows.
/// With beta = 0, c is only written. With oneDNN the same bits on any number of threads. \throws error when the library refuses
inline void gemm(cpu, bool transpose_a, bool transpose_b, index_t m, index_t n, index_t k, float alpha, float const* a, index_t lda,
                 float const* b, index_t ldb, float beta, float* c, index_t ldc) {
    if (m == 0 || n == 0) return;
#ifdef ATTNLAB_USE_ONEDNN
    bool const done = each_product_tile(m, n, k, [=](index_t row, index_t column, index_t rows, index_t columns) {
        return dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', rows, columns, k, alpha,
                          a + row * (transpose_a ? 1 : lda), lda, b + column * (transpose_b ? ldb : 1), ldb, beta,
                          c + row * ldc + column, ldc) == dnnl_success;
    });
    require(done, "gemm: oneDNN refused m ", m, ", n ", n, ", k ", k, ", lda ", lda, ", ldb ", ldb, ", ldc ", ldc);
#else
    constexpr index_t largest = std::numeric_limits<int>::max();
    require(std::max({m, n, k, lda, ldb, ldc}) <= largest, "gemm: m ", m, ", n ", n, ", k ", k, ": expected at most ", largest);
    auto const i = [](index_t x) { return static_cast<int>(x); };
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, i(m), i(n), i(k),
                alpha, a, i(lda), b, i(ldb), beta, c, i(ldc));
#endif
}

}  // namespace attnlab
