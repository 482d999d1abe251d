#pragma once
#include <array>
#include <cstdint>

#include <attnlab/kernels/cuda/device_block.hpp>
#include <attnlab/kernels/cuda/products.hpp>

/// \file
/// Products of four warps together, of sm_90 (PTX ISA, "Asynchronous warpgroup level matrix instructions"): 64 rows by 64 or 32 columns. A lane's part of the result, and
/// of a left side in registers, is that of mma.sync for its warp's 16 rows, so that kernels see the same fragments; right sides are read from shared
/// memory by the tensor cores themselves.

namespace attnlab::gpu {

/// A matrix in shared memory (PTX ISA, "Matrix descriptor"): 128-byte swizzling, eight rows of 128 bytes one after another.
struct matrix_descriptor {
    std::uint64_t bits;
    /// \param base where an array begins: what is computed of it is the same for all matrices; \param offset bytes, a multiple of 16
    __device__ matrix_descriptor(std::uint32_t base, int offset)
        : bits(std::uint64_t{1} << 62 | std::uint64_t{1024 >> 4} << 32 | ((base >> 4 | 1u << 16) + static_cast<std::uint32_t>(offset) / 16)) {}
};
/// Of rows `row` and on, channels `channel` + 16 `step` and on, where channels are summed over.
template <class Rows>
__device__ inline matrix_descriptor descriptor_of_rows(Rows const& x, int row, int channel, int step) {
    return {x.data().address(0), 2 * (channel / Rows::slab * x.slab_size() + row * Rows::slab + 16 * step)};
}
/// The same where rows are summed over.
template <class Rows>
__device__ inline matrix_descriptor descriptor_of_columns(Rows const& x, int row, int channel) {
    return {x.data().address(0), 2 * (channel / Rows::slab * x.slab_size() + row * Rows::slab)};
}

/// What was written to registers before it, products read.
__device__ inline void begin_products(device_warp) { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void commit_products(device_warp) { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
__device__ inline void wait_for_products(device_warp) { asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory"); }
/// No use of these numbers moves before it.
template <std::size_t N>
__device__ inline void keep_after(std::array<fragment_c<device_warp>, N>& c) {
    unrolled<static_cast<int>(N)>([&](int n) {
        unrolled<4>([&](int i) { asm volatile("" : "+f"(c[static_cast<std::size_t>(n)][static_cast<std::size_t>(i)].v[0])::"memory"); });
    });
}

/// c = a b, or c += a b.
__device__ inline void multiply_warpgroup(device_warp, std::array<fragment_c<device_warp>, 8>& c, matrix_descriptor a, matrix_descriptor b, bool add) {
    asm volatile(
        "{\n.reg .pred add;\nsetp.ne.b32 add, %34, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,"
        "%31}, %32, %33, add, 1, 1, 0, 0;\n}"
        : "+f"(c[0][0].v[0]), "+f"(c[0][1].v[0]), "+f"(c[0][2].v[0]), "+f"(c[0][3].v[0]), "+f"(c[1][0].v[0]), "+f"(c[1][1].v[0]), "+f"(c[1][2].v[0]), "+f"(c[1][3].v[0]),
          "+f"(c[2][0].v[0]), "+f"(c[2][1].v[0]), "+f"(c[2][2].v[0]), "+f"(c[2][3].v[0]), "+f"(c[3][0].v[0]), "+f"(c[3][1].v[0]), "+f"(c[3][2].v[0]), "+f"(c[3][3].v[0]),
          "+f"(c[4][0].v[0]), "+f"(c[4][1].v[0]), "+f"(c[4][2].v[0]), "+f"(c[4][3].v[0]), "+f"(c[5][0].v[0]), "+f"(c[5][1].v[0]), "+f"(c[5][2].v[0]), "+f"(c[5][3].v[0]),
          "+f"(c[6][0].v[0]), "+f"(c[6][1].v[0]), "+f"(c[6][2].v[0]), "+f"(c[6][3].v[0]), "+f"(c[7][0].v[0]), "+f"(c[7][1].v[0]), "+f"(c[7][2].v[0]), "+f"(c[7][3].v[0])
        : "l"(a.bits), "l"(b.bits), "r"(static_cast<int>(add)));
}
__device__ inline void multiply_warpgroup(device_warp, std::array<fragment_c<device_warp>, 4>& c, matrix_descriptor a, matrix_descriptor b, bool add) {
    asm volatile(
        "{\n.reg .pred add;\nsetp.ne.b32 add, %18, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15}, %16, %17, add, 1, 1, 0, 0;\n}"
        : "+f"(c[0][0].v[0]), "+f"(c[0][1].v[0]), "+f"(c[0][2].v[0]), "+f"(c[0][3].v[0]), "+f"(c[1][0].v[0]), "+f"(c[1][1].v[0]), "+f"(c[1][2].v[0]), "+f"(c[1][3].v[0]),
          "+f"(c[2][0].v[0]), "+f"(c[2][1].v[0]), "+f"(c[2][2].v[0]), "+f"(c[2][3].v[0]), "+f"(c[3][0].v[0]), "+f"(c[3][1].v[0]), "+f"(c[3][2].v[0]), "+f"(c[3][3].v[0])
        : "l"(a.bits), "l"(b.bits), "r"(static_cast<int>(add)));
}
/// Fragments first .. first + 8 of c += a b, where b's rows are summed over.
template <std::size_t N>
__device__ inline void multiply_warpgroup(device_warp, std::array<fragment_c<device_warp>, N>& all, int first, fragment_a<device_warp, bfloat16_products> const& a,
                                          matrix_descriptor b) {
    fragment_c<device_warp>* const c = all.data() + first;
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,"
        "%31}, {%32,%33,%34,%35}, %36, 1, 1, 1, 1;"
        : "+f"(c[0][0].v[0]), "+f"(c[0][1].v[0]), "+f"(c[0][2].v[0]), "+f"(c[0][3].v[0]), "+f"(c[1][0].v[0]), "+f"(c[1][1].v[0]), "+f"(c[1][2].v[0]), "+f"(c[1][3].v[0]),
          "+f"(c[2][0].v[0]), "+f"(c[2][1].v[0]), "+f"(c[2][2].v[0]), "+f"(c[2][3].v[0]), "+f"(c[3][0].v[0]), "+f"(c[3][1].v[0]), "+f"(c[3][2].v[0]), "+f"(c[3][3].v[0]),
          "+f"(c[4][0].v[0]), "+f"(c[4][1].v[0]), "+f"(c[4][2].v[0]), "+f"(c[4][3].v[0]), "+f"(c[5][0].v[0]), "+f"(c[5][1].v[0]), "+f"(c[5][2].v[0]), "+f"(c[5][3].v[0]),
          "+f"(c[6][0].v[0]), "+f"(c[6][1].v[0]), "+f"(c[6][2].v[0]), "+f"(c[6][3].v[0]), "+f"(c[7][0].v[0]), "+f"(c[7][1].v[0]), "+f"(c[7][2].v[0]), "+f"(c[7][3].v[0])
        : "r"(a[0].v[0]), "r"(a[1].v[0]), "r"(a[2].v[0]), "r"(a[3].v[0]), "l"(b.bits));
}

}  // namespace attnlab::gpu
