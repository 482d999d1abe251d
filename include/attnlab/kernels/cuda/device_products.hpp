#pragma once
#include <attnlab/kernels/cuda/device_block.hpp>
#include <attnlab/kernels/cuda/products.hpp>

/// \file
/// The same on the device: mma.sync, and ldmatrix, which deals 8 x 8 elements of 16 bits to the lanes as mma wants them.

namespace attnlab::gpu {

__device__ inline device_warp::lanes<std::uint32_t> pair_of(device_warp, bfloat16_products, device_warp::number low, device_warp::number high) {
    device_warp::lanes<std::uint32_t> r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r.v[0]) : "f"(high.v[0]), "f"(low.v[0]));
    return r;
}
__device__ inline float_products::pair<device_warp> pair_of(device_warp, float_products, device_warp::number low, device_warp::number high) { return {low, high}; }

__device__ inline void multiply_add(device_warp, bfloat16_products, fragment_c<device_warp>& c, fragment_a<device_warp, bfloat16_products> const& a,
                                    fragment_b<device_warp, bfloat16_products> const& b) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0].v[0]), "+f"(c[1].v[0]), "+f"(c[2].v[0]), "+f"(c[3].v[0])
        : "r"(a[0].v[0]), "r"(a[1].v[0]), "r"(a[2].v[0]), "r"(a[3].v[0]), "r"(b[0].v[0]), "r"(b[1].v[0]));
}

namespace detail {
/// A float's nearest tf32, and of what is left the nearest.
struct two_tf32 {
    std::uint32_t big, small;
    explicit __device__ two_tf32(device_warp::number x) {
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(big) : "f"(x.v[0]));
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(small) : "f"(x.v[0] - __uint_as_float(big)));
    }
};
__device__ inline void multiply_tf32(fragment_c<device_warp>& c, std::uint32_t a0, std::uint32_t a1, std::uint32_t a2, std::uint32_t a3, std::uint32_t b0, std::uint32_t b1) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0].v[0]), "+f"(c[1].v[0]), "+f"(c[2].v[0]), "+f"(c[3].v[0])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
}  // namespace detail

__device__ inline void multiply_add(device_warp, float_products, fragment_c<device_warp>& c, fragment_a<device_warp, float_products> const& a,
                                    fragment_b<device_warp, float_products> const& b) {
    using detail::two_tf32;
#pragma unroll
    for (int half = 0; half < 2; ++half) {   // of a pair, the low one is k = q of m16n8k8, the high one k = q + 4
        two_tf32 const a0(a[2 * half].low), a1(a[2 * half + 1].low), a2(a[2 * half].high), a3(a[2 * half + 1].high), b0(b[half].low), b1(b[half].high);
        detail::multiply_tf32(c, a0.small, a1.small, a2.small, a3.small, b0.big, b1.big);
        detail::multiply_tf32(c, a0.big, a1.big, a2.big, a3.big, b0.small, b1.small);
        detail::multiply_tf32(c, a0.big, a1.big, a2.big, a3.big, b0.big, b1.big);
    }
}

// Below, an element's place is the lane's, which a kernel computes once, plus the matrix's, of which loops that are written out leave constants.

namespace detail {
/// Four matrices of 8 x 8: lane l names row l % 8 of matrix l / 8.
__device__ inline std::array<device_warp::lanes<std::uint32_t>, 4> load_matrices(std::uint32_t address) {
    std::array<device_warp::lanes<std::uint32_t>, 4> r;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0].v[0]), "=r"(r[1].v[0]), "=r"(r[2].v[0]), "=r"(r[3].v[0])
                 : "r"(address) : "memory");
    return r;
}
__device__ inline std::array<device_warp::lanes<std::uint32_t>, 4> load_matrices_turned(std::uint32_t address) {
    std::array<device_warp::lanes<std::uint32_t>, 4> r;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0].v[0]), "=r"(r[1].v[0]), "=r"(r[2].v[0]), "=r"(r[3].v[0])
                 : "r"(address) : "memory");
    return r;
}
}  // namespace detail

__device__ inline fragment_a<device_warp, bfloat16_products> load_a(device_warp w, bfloat16_products, device_shared<bfloat16> x, int stride, int row, int k) {
    int const l = w.lane();
    return detail::load_matrices(x.address(l % 16 * stride + 8 * (l / 16), row * stride + k));
}
__device__ inline std::array<fragment_b<device_warp, bfloat16_products>, 2> load_b(device_warp w, bfloat16_products, device_shared<bfloat16> x, int stride, int n, int k) {
    int const l = w.lane();
    auto const m = detail::load_matrices(x.address((l % 8 + 8 * (l / 16)) * stride + 8 * (l / 8 % 2), n * stride + k));
    return {{{m[0], m[1]}, {m[2], m[3]}}};
}
__device__ inline std::array<fragment_b<device_warp, bfloat16_products>, 2> load_b_rows(device_warp w, bfloat16_products, device_shared<bfloat16> x, int stride, int k, int n) {
    int const l = w.lane();
    auto const m = detail::load_matrices_turned(x.address(l % 16 * stride + 8 * (l / 16), k * stride + n));
    return {{{m[0], m[1]}, {m[2], m[3]}}};
}

namespace detail {
__device__ inline float_products::pair<device_warp> pair_at(device_warp w, device_shared<float> x, int at, int step) {
    return {x.get(w, device_warp::whole(at)), x.get(w, device_warp::whole(at + step))};
}
}  // namespace detail

__device__ inline fragment_a<device_warp, float_products> load_a(device_warp w, float_products, device_shared<float> x, int stride, int row, int k) {
    int const at = w.lane() / 4 * stride + 2 * (w.lane() % 4) + (row * stride + k), down = 8 * stride;
    return {detail::pair_at(w, x, at, 1), detail::pair_at(w, x, at + down, 1), detail::pair_at(w, x, at + 8, 1), detail::pair_at(w, x, at + down + 8, 1)};
}
__device__ inline std::array<fragment_b<device_warp, float_products>, 2> load_b(device_warp w, float_products, device_shared<float> x, int stride, int n, int k) {
    int const at = w.lane() / 4 * stride + 2 * (w.lane() % 4) + (n * stride + k), next = 8 * stride;
    return {{{detail::pair_at(w, x, at, 1), detail::pair_at(w, x, at + 8, 1)}, {detail::pair_at(w, x, at + next, 1), detail::pair_at(w, x, at + next + 8, 1)}}};
}
__device__ inline std::array<fragment_b<device_warp, float_products>, 2> load_b_rows(device_warp w, float_products, device_shared<float> x, int stride, int k, int n) {
    int const at = 2 * (w.lane() % 4) * stride + w.lane() / 4 + (k * stride + n), down = 8 * stride;
    return {{{detail::pair_at(w, x, at, stride), detail::pair_at(w, x, at + down, stride)}, {detail::pair_at(w, x, at + 8, stride), detail::pair_at(w, x, at + down + 8, stride)}}};
}

}  // namespace attnlab::gpu
