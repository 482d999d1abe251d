#pragma once
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/kernels/cuda/rows.hpp>

/// \file
/// Rows a warp walks with N adjacent numbers in each lane: four, sixteen bytes at once, where all rows begin on sixteen bytes.

namespace attnlab::gpu {

/// N adjacent numbers in each lane; element N i + k is number k of this object's lane i.
template <class Warp, int N>
using wide = lanes_of<float, N * Warp::held>;

namespace detail {
template <class T, int N>
struct alignas(N * sizeof(T)) adjacent {
    T v[N];
};
/// x, rounded to T (to the nearest, ties to even), in one access to global memory. Of a struct, and of its float4 as well, nvcc at times makes four.
template <class T, int N>
constexpr void write(T* p, adjacent<float, N> const& x) {
#ifdef __CUDA_ARCH__
    if constexpr (std::is_same_v<T, float> && N == 4) {
        asm volatile("{ .reg .u64 g; cvta.to.global.u64 g, %0; st.global.v4.f32 [g], {%1, %2, %3, %4}; }" ::"l"(p), "f"(x.v[0]), "f"(x.v[1]), "f"(x.v[2]), "f"(x.v[3])
                     : "memory");
    } else if constexpr (std::is_same_v<T, bfloat16> && N == 4) {
        asm volatile("{ .reg .u64 g; .reg .b32 a, b; cvta.to.global.u64 g, %0; cvt.rn.bf16x2.f32 a, %2, %1; cvt.rn.bf16x2.f32 b, %4, %3; st.global.v2.b32 [g], {a, b}; }"
                     ::"l"(p), "f"(x.v[0]), "f"(x.v[1]), "f"(x.v[2]), "f"(x.v[3])
                     : "memory");
    } else
#endif
    {
        adjacent<T, N> r;
        for (int k = 0; k < N; ++k) r.v[k] = static_cast<T>(x.v[k]);
        *reinterpret_cast<adjacent<T, N>*>(p) = r;
    }
}
}  // namespace detail

/// The first n of 32 N numbers, n a multiple of N or more than 32 N; the others are `fill`.
template <class Warp, int N, class T>
constexpr wide<Warp, N> load(T const* p, index_t n, float fill = 0) {
    wide<Warp, N> r;
    Warp::visit([&](int lane, int i) {
        for (int k = 0; k < N; ++k) r.v[N * i + k] = fill;
        if (N * lane >= n) return;
        auto const a = *reinterpret_cast<detail::adjacent<T, N> const*>(p + N * lane);
        for (int k = 0; k < N; ++k) r.v[N * i + k] = static_cast<float>(a.v[k]);
    });
    return r;
}
/// Rounded to T.
template <class Warp, int N, class T>
constexpr void store(T* p, wide<Warp, N> const& x, index_t n) {
    Warp::visit([&](int lane, int i) {
        detail::adjacent<float, N> a;
        for (int k = 0; k < N; ++k) a.v[k] = x.v[N * i + k];
        if (N * lane < n) detail::write(p + N * lane, a);
    });
}
/// The lanes' own numbers folded by `op`, as one number a lane.
template <class Warp, int N, class Op>
constexpr typename Warp::number fold_in_lane(wide<Warp, N> const& x, Op op) {
    typename Warp::number r;
    for (int i = 0; i < Warp::held; ++i) {
        r.v[i] = x.v[N * i];
        for (int k = 1; k < N; ++k) r.v[i] = op(r.v[i], x.v[N * i + k]);
    }
    return r;
}
template <class Warp, int N>
constexpr float sum(wide<Warp, N> const& x) {
    return sum<Warp>(fold_in_lane<Warp, N>(x, [](float a, float b) { return a + b; }));
}

/// `body(i)` for the beginnings of what a warp takes at once of a row of n.
template <int N, class Body>
constexpr void each_wide(index_t n, Body body) {
    for (index_t i = 0; i < n; i += N * warp_size) body(i);
}

/// `run(four or one)`, a std::integral_constant: how many numbers a lane may take at once of rows of n numbers in these arrays.
template <class Run>
void with_width(index_t n, std::initializer_list<void const*> arrays, Run run) {
    bool const wide = n % 4 == 0 && std::all_of(arrays.begin(), arrays.end(), [](void const* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; });
    if (wide)
        run(std::integral_constant<int, 4>{});
    else
        run(std::integral_constant<int, 1>{});
}

}  // namespace attnlab::gpu
