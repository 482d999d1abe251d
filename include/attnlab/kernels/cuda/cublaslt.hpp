#pragma once
#ifndef __CUDACC__
#error "attnlab/kernels/cuda/cublaslt.hpp: for nvcc"
#endif
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>

#include <cublasLt.h>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/tfloat32.hpp>
#include <attnlab/kernels/cuda/launch.hpp>
#include <attnlab/kernels/cuda/product.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>
#include <attnlab/kernels/gelu.hpp>

/// \file
/// Products by cuBLASLt: what it advises for a shape is asked once and kept.

namespace attnlab::gpu {

namespace cublas {

/// \throws error that says what was refused
inline void check(cublasStatus_t status, char const* what) {
    require(status == CUBLAS_STATUS_SUCCESS, "cublasLt: ", what, ": ", cublasLtGetStatusString(status));
}

template <auto Destroy>
struct destroyed_by {
    template <class T>
    void operator()(T* x) const {
        Destroy(x);
    }
};
using operation = std::unique_ptr<cublasLtMatmulDescOpaque_t, destroyed_by<cublasLtMatmulDescDestroy>>;
using matrix = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, destroyed_by<cublasLtMatrixLayoutDestroy>>;
using preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, destroyed_by<cublasLtMatmulPreferenceDestroy>>;

inline cublasLtHandle_t handle() {
    static cublasLtHandle_t const h = [] {
        cublasLtHandle_t made = nullptr;
        check(cublasLtCreate(&made), "a handle");
        return made;
    }();
    return h;
}

inline matrix layout(cudaDataType_t type, index_t rows, index_t columns, index_t leading) {
    cublasLtMatrixLayout_t made = nullptr;
    check(cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns), leading), "a matrix");
    return matrix(made);
}
template <class Value>
void set(operation const& o, cublasLtMatmulDescAttributes_t which, Value value) {
    check(cublasLtMatmulDescSetAttribute(o.get(), which, &value, sizeof value), "an attribute of a product");
}
template <class Value>
void set(preference const& p, cublasLtMatmulPreferenceAttributes_t which, Value value) {
    check(cublasLtMatmulPreferenceSetAttribute(p.get(), which, &value, sizeof value), "a preference");
}

struct workspace;   ///< the purpose of memory
inline constexpr std::size_t workspace_bytes = std::size_t{32} << 20;   // what NVIDIA advises for Hopper

/// The largest power of two, up to 256, that an address is a multiple of.
inline std::uint32_t alignment(void const* p) {
    auto const a = reinterpret_cast<std::uintptr_t>(p) | 256;
    return static_cast<std::uint32_t>(a & (~a + 1));
}

/// A product as cuBLASLt does it.
struct plan {
    operation how;
    matrix a, b, d;
    cublasLtMatmulAlgo_t algorithm;
};
template <class T>
inline constexpr cudaDataType_t type_of = std::is_same_v<T, bfloat16> ? CUDA_R_16BF : CUDA_R_32F;

/// Factors of T, the result, its bias and what is before its GELU of D, sums in float. None where no algorithm fits.
/// \param before_gelu  null, or where the first such product puts it: by its alignment cuBLASLt chooses
template <class T, class D>
std::optional<plan> plan_for(column_major_product const& p, bool bias, D* before_gelu, std::uint32_t a, std::uint32_t b, std::uint32_t d) {
    if (before_gelu && (p.ldd % 8 != 0 || alignment(before_gelu) < 16)) return {};
    constexpr auto sums = std::is_same_v<T, tfloat32> ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    auto const op = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
    plan made;
    cublasLtMatmulDesc_t how = nullptr;
    check(cublasLtMatmulDescCreate(&how, sums, CUDA_R_32F), "a product");
    made.how.reset(how);
    set(made.how, CUBLASLT_MATMUL_DESC_TRANSA, op(p.transpose_a));
    set(made.how, CUBLASLT_MATMUL_DESC_TRANSB, op(p.transpose_b));
    if (before_gelu) {
        set(made.how, CUBLASLT_MATMUL_DESC_EPILOGUE, bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX);
        set(made.how, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, before_gelu);
        set(made.how, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, static_cast<std::int64_t>(p.ldd));
        set(made.how, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, static_cast<std::int32_t>(type_of<D>));
    } else if (bias) {
        set(made.how, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    }
    if (bias) set(made.how, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(type_of<D>));
    made.a = layout(type_of<T>, p.rows_of_a(), p.columns_of_a(), p.lda);
    made.b = layout(type_of<T>, p.rows_of_b(), p.columns_of_b(), p.ldb);
    made.d = layout(type_of<D>, p.m, p.n, p.ldd);

    cublasLtMatmulPreference_t wish = nullptr;
    check(cublasLtMatmulPreferenceCreate(&wish), "a preference");
    preference const wishes(wish);
    set(wishes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    set(wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, a);
    set(wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, b);
    set(wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, d);
    set(wishes, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, d);
    // Of a product that is cut along k, the parts are added before they are rounded.
    if constexpr (sizeof(D) < sizeof(float)) set(wishes, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    cublasLtMatmulHeuristicResult_t best{};
    int found = 0;
    auto const status = cublasLtMatmulAlgoGetHeuristic(handle(), made.how.get(), made.a.get(), made.b.get(), made.d.get(), made.d.get(), wish, 1, &best, &found);
    if (status != CUBLAS_STATUS_SUCCESS || found == 0) return {};
    made.algorithm = best.algo;
    return made;
}

}  // namespace cublas

/// Adds a bias (m) to each column of d (m, n).
template <class D>
struct add_to_columns {
    D const* bias;
    index_t m, leading;
    D* d;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t column) const {
        D* const to = d + column * leading;
        each_wide<1>(m, [&](index_t i) { store<Warp, 1>(to + i, load<Warp, 1>(to + i, m - i) + load<Warp, 1>(bias + i, m - i), m - i); });
    }
};

/// d = gelu(x) of each column of x (m, n), which lies as d does.
template <class D>
struct gelu_of_columns {
    D const* x;
    index_t m, leading;
    D* d;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t column) const {
        index_t const first = column * leading;
        each_wide<1>(m, [&](index_t i) { store<Warp, 1>(d + first + i, gelu_detail::gelu<gelu_form::tanh>(load<Warp, 1>(x + first + i, m - i)), m - i); });
    }
};

/// d = alpha op(a) op(b) + beta c + bias, by columns; a and b of float, tfloat32 or bfloat16, sums in float, rounded to D; c, which lies as d does, may be d.
/// \param bias  (m) or null \param before_gelu  lies as d does: takes the sum, and d its GELU in the tanh form, of it or of it rounded; or null
/// \throws error where cuBLASLt knows no way
template <class T, class D>
void multiply(cuda, column_major_product const& p, float alpha, T const* a, T const* b, float beta, D const* c, D* d, D const* bias, D* before_gelu) {
    using namespace cublas;
    using key = std::tuple<bool, bool, index_t, index_t, index_t, index_t, index_t, index_t, bool, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;
    static thread_local std::map<key, std::optional<plan>> plans;
    auto const on_a = alignment(a), on_b = alignment(b), on_d = std::min(alignment(c), alignment(d)), on_gelu = before_gelu ? alignment(before_gelu) : 0;
    key const k{p.transpose_a, p.transpose_b, p.m, p.n, p.k, p.lda, p.ldb, p.ldd, bias != nullptr, on_a, on_b, on_d, on_gelu};
    auto known = plans.find(k);
    if (known == plans.end()) known = plans.emplace(k, plan_for<T, D>(p, bias != nullptr, before_gelu, on_a, on_b, on_d)).first;
    if (before_gelu && !known->second) {   // not with this epilogue
        multiply<T, D>(cuda{}, p, alpha, a, b, beta, c, before_gelu, bias, nullptr);
        return launch_rows(cuda{}, p.n, gelu_of_columns<D>{before_gelu, p.m, p.ldd, d});
    }
    if (bias && !known->second) {
        multiply<T, D>(cuda{}, p, alpha, a, b, beta, c, d, nullptr, nullptr);
        return launch_rows(cuda{}, p.n, add_to_columns<D>{bias, p.m, p.ldd, d});
    }
    require(known->second.has_value(), "gemm: cuBLASLt knows no way for m ", p.m, ", n ", p.n, ", k ", p.k, ", lda ", p.lda, ", ldb ", p.ldb, ", ldd ", p.ldd);
    plan const& with = *known->second;
    if (bias) set(with.how, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    if (before_gelu) set(with.how, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, before_gelu);
    auto* const room = scratch<cublas::workspace, unsigned char>(cuda{}, static_cast<index_t>(workspace_bytes));
    cublas::check(cublasLtMatmul(handle(), with.how.get(), &alpha, a, with.a.get(), b, with.b.get(), &beta, c, with.d.get(), d, with.d.get(),
                                 &with.algorithm, room, workspace_bytes, stream()),
                  "a product");
}

}  // namespace attnlab::gpu
