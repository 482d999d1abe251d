#pragma once
#include <algorithm>
#include <type_traits>
#include <vector>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/kernels/cuda/lanes.hpp>
#include <attnlab/kernels/cuda/product.hpp>
#include <attnlab/kernels/gelu.hpp>
#ifdef __CUDACC__
#include <attnlab/kernels/cuda/cublaslt.hpp>
#endif

/// \file
/// Matrix products: cuBLASLt's on a device. The emulation has the same description of a product multiplied by plain loops: it proves that
/// descriptions are right, and nothing about the library.

namespace attnlab {

namespace gpu {

/// d = alpha op(a) op(b) + beta c + bias, by columns, sums in float, rounded to D; c may be d. With beta = 0, c is not read. \param bias  (m) or null
/// \param before_gelu  lies as d does: takes the sum, and d its GELU in the tanh form; or null
template <class T, class D>
void multiply(emulated_cuda, column_major_product const& p, float alpha, T const* a, T const* b, float beta, D const* c, D* d, D const* bias, D* before_gelu) {
#pragma omp parallel for schedule(static) if (p.m * p.n * p.k > 1 << 16)
    for (index_t j = 0; j < p.n; ++j) {
        std::vector<float> sum(static_cast<std::size_t>(p.m), 0.0f);
        for (index_t l = 0; l < p.k; ++l) {
            auto const x = static_cast<float>(p.transpose_b ? b[j + l * p.ldb] : b[l + j * p.ldb]);
            T const* const column = p.transpose_a ? a + l : a + l * p.lda;
            index_t const stride = p.transpose_a ? p.lda : 1;
            for (index_t i = 0; i < p.m; ++i) sum[static_cast<std::size_t>(i)] += static_cast<float>(column[i * stride]) * x;
        }
        for (index_t i = 0; i < p.m; ++i) {
            index_t const at = i + j * p.ldd;
            float const x = alpha * sum[static_cast<std::size_t>(i)] + (beta == 0 ? 0 : beta * static_cast<float>(c[at])) + (bias ? static_cast<float>(bias[i]) : 0);
            if (before_gelu) before_gelu[at] = static_cast<D>(x);
            d[at] = static_cast<D>(before_gelu ? gelu_detail::gelu<gelu_form::tanh>(lanes_of<float, 1>(x)).v[0] : x);
        }
    }
}

/// The row-major d = alpha op(a) op(b) + beta c + bias, bias (n) added to each row, or null; c, of d's strides, may be d. Where `before_gelu`, of d's
/// strides too, is given, it takes that, and d is its GELU in the tanh form.
template <class Device, class T, class C>
void multiply_rows(Device device, bool transpose_a, bool transpose_b, index_t m, index_t n, index_t k, float alpha, T const* a, index_t lda,
                   T const* b, index_t ldb, float beta, std::type_identity_t<C const*> c, C* d, index_t ldd, std::type_identity_t<C const*> bias,
                   std::type_identity_t<C*> before_gelu = nullptr) {
    if (m == 0 || n == 0) return;
    multiply(device, by_columns(transpose_a, transpose_b, m, n, k, lda, ldb, ldd), alpha, b, a, beta, c, d, bias, before_gelu);
}

}  // namespace gpu

/// c = alpha op(a) op(b) + beta c, row-major: op(a) is (m,k), op(b) (k,n), c (m,n); lda, ldb, ldc are lengths of the stored rows. a and b of
/// float, tfloat32 or bfloat16, sums in float. With beta = 0, c is only written. \throws error when the library refuses
template <cuda_device Device, class T>
void gemm(Device device, bool transpose_a, bool transpose_b, index_t m, index_t n, index_t k, float alpha, T const* a, index_t lda, T const* b,
          index_t ldb, float beta, float* c, index_t ldc) {
    gpu::multiply_rows(device, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, c, ldc, nullptr);
}

}  // namespace attnlab
