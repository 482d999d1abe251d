#pragma once
#include <array>
#include <memory>

#ifdef ATTNLAB_USE_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#if DNNL_VERSION_MAJOR == 2   // the next one describes products in another way
#define ATTNLAB_BFLOAT16_PRODUCTS
#endif
#endif

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/product_tiles.hpp>

/// \file
/// Products of bfloat16 with sums in float: oneDNN's matmul, at twice the rate of float where the processor has instructions for them.

namespace attnlab {

/// Whether this build and processor have fast products of bfloat16: oneDNN 2 and AVX-512 BF16.
inline bool has_bfloat16(cpu) {
#ifdef ATTNLAB_BFLOAT16_PRODUCTS
    constexpr int least = dnnl_cpu_isa_avx512_core_bf16;   // a set of bits, those of lesser processors among them
    return (dnnl_get_effective_cpu_isa() & least) == least;
#else
    return false;
#endif
}

#ifdef ATTNLAB_BFLOAT16_PRODUCTS
namespace detail::onednn {

template <auto Destroy>
struct destroyed_by {
    template <class T>
    void operator()(T* x) const {
        Destroy(x);
    }
};
template <class T, auto Destroy>
using owned = std::unique_ptr<T, destroyed_by<Destroy>>;

/// What `create(T**)` makes. \throws error when it refuses
template <class Owner, class Create>
Owner made(Create create) {
    typename Owner::pointer x = nullptr;
    require(create(&x) == dnnl_success, "gemm: oneDNN refused a product of bfloat16");
    return Owner(x);
}

using engine = owned<dnnl_engine, dnnl_engine_destroy>;
using stream = owned<dnnl_stream, dnnl_stream_destroy>;
using memory = owned<dnnl_memory, dnnl_memory_destroy>;

inline dnnl_engine_t cpu_engine() {
    static auto const e = made<engine>([](auto x) { return dnnl_engine_create(x, dnnl_cpu, 0); });
    return e.get();
}

/// A matrix of rows x columns whose stored rows are `stride` apart, seen transposed or not.
inline dnnl_memory_desc_t matrix(dnnl_data_type_t type, index_t rows, index_t columns, index_t stride, bool transposed) {
    dnnl_dims_t const sizes{rows, columns}, strides{transposed ? 1 : stride, transposed ? stride : 1};
    dnnl_memory_desc_t d;
    require(dnnl_memory_desc_init_by_strides(&d, 2, sizes, type, strides) == dnnl_success, "gemm: oneDNN refused a matrix of ", rows, " x ",
            columns, ", stride ", stride);
    return d;
}

/// c = alpha a b + beta c. oneDNN keeps what it compiled: the second product of a kind takes some microseconds to prepare.
inline void multiply(float alpha, dnnl_memory_desc_t const& a_form, void const* a, dnnl_memory_desc_t const& b_form, void const* b, float beta,
                     dnnl_memory_desc_t const& c_form, float* c) {
    auto const after = made<owned<dnnl_post_ops, dnnl_post_ops_destroy>>([](auto x) { return dnnl_post_ops_create(x); });
    auto const attributes = made<owned<dnnl_primitive_attr, dnnl_primitive_attr_destroy>>([](auto x) { return dnnl_primitive_attr_create(x); });
    if (alpha != 1) dnnl_primitive_attr_set_output_scales(attributes.get(), 1, 0, &alpha);
    if (beta != 0) dnnl_post_ops_append_sum(after.get(), beta), dnnl_primitive_attr_set_post_ops(attributes.get(), after.get());
    dnnl_matmul_desc_t product;
    dnnl_matmul_desc_init(&product, &a_form, &b_form, nullptr, &c_form);
    auto const description = made<owned<dnnl_primitive_desc, dnnl_primitive_desc_destroy>>(
        [&](auto x) { return dnnl_primitive_desc_create(x, &product, attributes.get(), cpu_engine(), nullptr); });
    auto const primitive = made<owned<dnnl_primitive, dnnl_primitive_destroy>>([&](auto x) { return dnnl_primitive_create(x, description.get()); });

    auto const at = [](dnnl_memory_desc_t const& form, void const* p) {
        return made<memory>([&](auto x) { return dnnl_memory_create(x, &form, cpu_engine(), const_cast<void*>(p)); });
    };
    auto const A = at(a_form, a), B = at(b_form, b), C = at(c_form, c);
    dnnl_exec_arg_t const arguments[]{{DNNL_ARG_SRC, A.get()}, {DNNL_ARG_WEIGHTS, B.get()}, {DNNL_ARG_DST, C.get()}};
    thread_local auto const here = made<stream>([](auto x) { return dnnl_stream_create(x, cpu_engine(), dnnl_stream_default_flags); });
    require(dnnl_primitive_execute(primitive.get(), here.get(), 3, arguments) == dnnl_success && dnnl_stream_wait(here.get()) == dnnl_success,
            "gemm: oneDNN failed in a product of bfloat16");
}

}  // namespace detail::onednn

/// As the gemm of floats, with a and b of bfloat16. \throws error without `has_bfloat16`, or when the library refuses
inline void gemm(cpu, bool transpose_a, bool transpose_b, index_t m, index_t n, index_t k, float alpha, bfloat16 const* a, index_t lda,
                 bfloat16 const* b, index_t ldb, float beta, float* c, index_t ldc) {
    require(has_bfloat16(cpu{}), "gemm: products of bfloat16 need oneDNN 2 and a processor with AVX-512 BF16");
    if (m == 0 || n == 0) return;
    using namespace detail::onednn;
    bool const done = each_product_tile(m, n, k, [=](index_t row, index_t column, index_t rows, index_t columns) {
        try {
            multiply(alpha, matrix(dnnl_bf16, rows, k, lda, transpose_a), a + row * (transpose_a ? 1 : lda),
                     matrix(dnnl_bf16, k, columns, ldb, transpose_b), b + column * (transpose_b ? ldb : 1), beta,
                     matrix(dnnl_f32, rows, columns, ldc, false), c + row * ldc + column);
        } catch (error const&) {   // must not leave a thread
            return false;
        }
        return true;
    });
    require(done, "gemm: oneDNN refused bfloat16, m ", m, ", n ", n, ", k ", k, ", lda ", lda, ", ldb ", ldb, ", ldc ", ldc);
}
#else
inline void gemm(cpu, bool, bool, index_t, index_t, index_t, float, bfloat16 const*, index_t, bfloat16 const*, index_t, float, float*, index_t) {
    fail("gemm: products of bfloat16 need a build with oneDNN 2");
}
#endif

}  // namespace attnlab
