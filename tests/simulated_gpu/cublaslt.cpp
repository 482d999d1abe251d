#include <cublasLt.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "device.hpp"
#include "formats.hpp"

/// \file
/// The names of cuBLASLt that attnlab's programs call: products of float, tf32 and bfloat16 with sums in double, which the simulated device does in its turn.

using namespace simulated;

namespace {

struct operation {
    cublasComputeType_t compute;
    bool transpose_a = false, transpose_b = false;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    void const* bias = nullptr;
    std::int32_t bias_type = CUDA_R_32F;
    void* aux = nullptr;   // what is before GELU
    std::int64_t aux_leading = 0;
    std::int32_t aux_type = CUDA_R_32F;

    bool has_gelu() const { return epilogue == CUBLASLT_EPILOGUE_GELU_AUX || epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS; }
    bool has_bias() const { return epilogue == CUBLASLT_EPILOGUE_BIAS || epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS; }
    bool known() const { return epilogue == CUBLASLT_EPILOGUE_DEFAULT || has_bias() || has_gelu(); }
};
struct matrix {
    cudaDataType type;
    std::uint64_t rows, columns;
    std::int64_t leading;
};
template <class T, class Opaque>
T& behind(Opaque* p) {
    return *reinterpret_cast<T*>(p);
}
template <class T, class Opaque>
T const& behind(Opaque const* p) {
    return *reinterpret_cast<T const*>(p);
}

float number(std::int32_t type, void const* p, std::size_t at) {
    return type == CUDA_R_16BF ? of_bfloat16(static_cast<std::uint16_t const*>(p)[at]) : static_cast<float const*>(p)[at];
}
/// As far as its type says; a float is rounded where the product is of tf32.
double element(matrix const& m, void const* p, std::uint64_t row, std::uint64_t column, bool tf32) {
    float const x = number(m.type, p, static_cast<std::size_t>(static_cast<std::int64_t>(column) * m.leading) + row);
    return tf32 ? of_tf32(tf32_of(x)) : x;
}
double gelu(double x) { return x / 2 * (1 + std::tanh(std::numbers::sqrt2 * std::numbers::inv_sqrtpi * (x + 0.044715 * x * x * x))); }
void check(matrix const& m, void const* p, char const* name) {
    auto const at = reinterpret_cast<word>(p);
    auto const elements = static_cast<std::uint64_t>(m.leading) * (m.columns - 1) + m.rows;
    auto const r = memory_of_device().around(at);
    if (at + elements * (m.type == CUDA_R_16BF ? 2 : 4) > r.end) throw fault(std::string("cublasLtMatmul: the matrix ") + name + " is in no memory of the device");
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* h) { return *h = reinterpret_cast<cublasLtHandle_t>(new int), CUBLAS_STATUS_SUCCESS; }
char const* cublasLtGetStatusString(cublasStatus_t) { return "an error of the simulated GPU"; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* d, cublasComputeType_t compute, cudaDataType_t scale) {
    if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    *d = reinterpret_cast<cublasLtMatmulDesc_t>(new operation{compute});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) { return delete &behind<operation>(d), CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t which, void const* value, std::size_t bytes) {
    auto& o = behind<operation>(d);
    auto const read = [&](auto& to) {
        if (bytes != sizeof to) return CUBLAS_STATUS_INVALID_VALUE;
        std::memcpy(&to, value, bytes);
        return CUBLAS_STATUS_SUCCESS;
    };
    cublasOperation_t op = CUBLAS_OP_N;
    cublasStatus_t status = CUBLAS_STATUS_NOT_SUPPORTED;
    if (which == CUBLASLT_MATMUL_DESC_TRANSA) status = read(op), o.transpose_a = op == CUBLAS_OP_T;
    if (which == CUBLASLT_MATMUL_DESC_TRANSB) status = read(op), o.transpose_b = op == CUBLAS_OP_T;
    if (which == CUBLASLT_MATMUL_DESC_EPILOGUE) status = read(o.epilogue);
    if (which == CUBLASLT_MATMUL_DESC_BIAS_POINTER) status = read(o.bias);
    if (which == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE) status = read(o.bias_type);
    if (which == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER) status = read(o.aux);
    if (which == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD) status = read(o.aux_leading);
    if (which == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE) status = read(o.aux_type);
    return status;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* m, cudaDataType type, std::uint64_t rows, std::uint64_t columns, std::int64_t leading) {
    if (rows == 0 || columns == 0 || leading < static_cast<std::int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
    *m = reinterpret_cast<cublasLtMatrixLayout_t>(new matrix{type, rows, columns, leading});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t m) { return delete &behind<matrix>(m), CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* p) { return *p = reinterpret_cast<cublasLtMatmulPreference_t>(new int), CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) { return delete reinterpret_cast<int*>(p), CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, void const*, std::size_t) { return CUBLAS_STATUS_SUCCESS; }

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t to, cublasLtMatmulPreference_t, int, cublasLtMatmulHeuristicResult_t* results, int* found) {
    auto const& o = behind<operation>(d);
    auto const &ma = behind<matrix>(a), &mb = behind<matrix>(b), &mc = behind<matrix>(c), &md = behind<matrix>(to);
    auto const m = o.transpose_a ? ma.columns : ma.rows, k = o.transpose_a ? ma.rows : ma.columns;
    auto const k_of_b = o.transpose_b ? mb.columns : mb.rows, n = o.transpose_b ? mb.rows : mb.columns;
    *found = 0;
    if (k != k_of_b || md.rows != m || md.columns != n || mc.rows != m || mc.columns != n) return CUBLAS_STATUS_INVALID_VALUE;
    bool const rounds = md.type == CUDA_R_16BF && ma.type == CUDA_R_16BF;   // a result of bfloat16 is had of factors of bfloat16 alone
    if (ma.type != mb.type || mc.type != md.type || (md.type != CUDA_R_32F && !rounds)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!o.known() || (o.has_bias() && o.bias_type != md.type)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (o.has_gelu() && (!rounds || o.aux_type != CUDA_R_16BF || o.aux_leading % 8 != 0 || o.aux_leading < static_cast<std::int64_t>(m))) return CUBLAS_STATUS_NOT_SUPPORTED;
    *found = 1;
    results[0] = {};
    results[0].state = CUBLAS_STATUS_SUCCESS;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t d, void const* alpha, void const* a, cublasLtMatrixLayout_t a_layout, void const* b,
                              cublasLtMatrixLayout_t b_layout, void const* beta, void const* c, cublasLtMatrixLayout_t c_layout, void* to, cublasLtMatrixLayout_t to_layout,
                              cublasLtMatmulAlgo_t const*, void*, std::size_t, cudaStream_t) {
    auto const o = behind<operation>(d);
    matrix const ma = behind<matrix>(a_layout), mb = behind<matrix>(b_layout), mc = behind<matrix>(c_layout), md = behind<matrix>(to_layout);
    double const by = *static_cast<float const*>(alpha), keep = *static_cast<float const*>(beta);
    device::one().enqueue([=] {
        check(ma, a, "A"), check(mb, b, "B"), check(mc, c, "C"), check(md, to, "D");
        if (o.has_gelu()) check({CUDA_R_16BF, md.rows, md.columns, o.aux_leading}, o.aux, "before GELU");
        auto const K = o.transpose_a ? ma.rows : ma.columns;
        bool const tf32 = o.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
        // op(a) by rows and op(b) by columns, so that the sum runs over what lies side by side.
        std::vector<double> x(md.rows * K), y(md.columns * K);
        for (std::uint64_t i = 0; i < md.rows; ++i)
            for (std::uint64_t k = 0; k < K; ++k) x[i * K + k] = o.transpose_a ? element(ma, a, k, i, tf32) : element(ma, a, i, k, tf32);
        for (std::uint64_t j = 0; j < md.columns; ++j)
            for (std::uint64_t k = 0; k < K; ++k) y[j * K + k] = o.transpose_b ? element(mb, b, j, k, tf32) : element(mb, b, k, j, tf32);
#pragma omp parallel for
        for (std::int64_t j = 0; j < static_cast<std::int64_t>(md.columns); ++j)
            for (std::uint64_t i = 0; i < md.rows; ++i) {
                double sum = 0;
                for (std::uint64_t k = 0; k < K; ++k) sum += x[i * K + k] * y[static_cast<std::uint64_t>(j) * K + k];
                sum *= by;
                if (keep != 0) sum += keep * element(mc, c, i, static_cast<std::uint64_t>(j), false);
                if (o.has_bias()) sum += number(o.bias_type, o.bias, i);
                if (o.has_gelu()) {
                    static_cast<std::uint16_t*>(o.aux)[j * o.aux_leading + static_cast<std::int64_t>(i)] = bfloat16_of(static_cast<float>(sum));
                    sum = gelu(sum);
                }
                auto const at = j * md.leading + static_cast<std::int64_t>(i);
                if (md.type == CUDA_R_16BF)
                    static_cast<std::uint16_t*>(to)[at] = bfloat16_of(static_cast<float>(sum));
                else
                    static_cast<float*>(to)[at] = static_cast<float>(sum);
            }
    });
    return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
