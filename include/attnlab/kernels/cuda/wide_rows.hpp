#pragma once
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/kernels/cuda/rows.hpp>

/// \file
/// Rows a warp walks with N adjacent numbers in each lane: four floats, or eight of bfloat16, sixteen bytes at once, where all rows begin on sixteen bytes.

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
    } else if constexpr (std::is_same_v<T, float> && N == 2) {
        asm volatile("{ .reg .u64 g; cvta.to.global.u64 g, %0; st.global.v2.f32 [g], {%1, %2}; }" ::"l"(p), "f"(x.v[0]), "f"(x.v[1]) : "memory");
    } else if constexpr (std::is_same_v<T, bfloat16> && N == 2) {
        asm volatile("{ .reg .u64 g; .reg .b32 a; cvta.to.global.u64 g, %0; cvt.rn.bf16x2.f32 a, %2, %1; st.global.b32 [g], a; }" ::"l"(p), "f"(x.v[0]), "f"(x.v[1]) : "memory");
    } else if constexpr (std::is_same_v<T, bfloat16> && N == 4) {
        asm volatile("{ .reg .u64 g; .reg .b32 a, b; cvta.to.global.u64 g, %0; cvt.rn.bf16x2.f32 a, %2, %1; cvt.rn.bf16x2.f32 b, %4, %3; st.global.v2.b32 [g], {a, b}; }"
                     ::"l"(p), "f"(x.v[0]), "f"(x.v[1]), "f"(x.v[2]), "f"(x.v[3])
                     : "memory");
    } else if constexpr (std::is_same_v<T, bfloat16> && N == 8) {
        asm volatile("{ .reg .u64 g; .reg .b32 a, b, c, d; cvta.to.global.u64 g, %0; cvt.rn.bf16x2.f32 a, %2, %1; cvt.rn.bf16x2.f32 b, %4, %3;"
                     " cvt.rn.bf16x2.f32 c, %6, %5; cvt.rn.bf16x2.f32 d, %8, %7; st.global.v4.b32 [g], {a, b, c, d}; }"
                     ::"l"(p), "f"(x.v[0]), "f"(x.v[1]), "f"(x.v[2]), "f"(x.v[3]), "f"(x.v[4]), "f"(x.v[5]), "f"(x.v[6]), "f"(x.v[7])
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

/// The first n of 32 N numbers as they are stored, n a multiple of N or more than 32 N; the others are 0. What a lane waits for is the use of them.
template <class Warp, int N, class T>
constexpr lanes_of<T, N * Warp::held> load_stored(T const* p, index_t n) {
    lanes_of<T, N * Warp::held> r(T(0.0f));
    Warp::visit([&](int lane, int i) {
        if (N * lane >= n) return;
        auto const a = *reinterpret_cast<detail::adjacent<T, N> const*>(p + N * lane);
        for (int k = 0; k < N; ++k) r.v[N * i + k] = a.v[k];
    });
    return r;
}
/// Those as numbers.
template <class T, int Held>
constexpr auto as_numbers(lanes_of<T, Held> const& x) {
    return each(x, [](T e) { return static_cast<float>(e); });
}
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
/// x, and 0 from number n on.
template <class Warp, int N>
constexpr wide<Warp, N> first(wide<Warp, N> x, index_t n) {
    Warp::visit([&](int lane, int i) {
        for (int k = 0; k < N; ++k)
            if (N * lane >= n) x.v[N * i + k] = 0;
    });
    return x;
}
/// To global memory, rounded to T.
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

/// How many pieces of 32 N numbers of a row a warp keeps in registers: 1024 channels.
inline constexpr int held_pieces = 8;

/// A row of n numbers, or some rows alike, that a warp walks several times. Its first pieces are read once and kept, those beyond are read anew by
/// each walk. `read(i)` is what the lanes have of the piece that begins at i, with fills from n on.
template <int N, class Read>
class held_row {
    using piece = std::invoke_result_t<Read, index_t>;

public:
    constexpr held_row(index_t n, Read read) : n_(n), read_(read) {
        unrolled<held_pieces>([&](int k) { kept_[k] = read_(index_t{k} * N * warp_size); });
    }
    /// `body(i, piece)`, in order. What it changes of a piece stays in those that are kept.
    template <class Body>
    constexpr void each(Body body) {
        unrolled<held_pieces>([&](int k) { body(index_t{k} * N * warp_size, kept_[k]); });
        for (index_t i = held_pieces * N * warp_size; i < n_; i += N * warp_size) {
            piece p = read_(i);
            body(i, p);
        }
    }
    template <class Body>
    constexpr void each(Body body) const {
        unrolled<held_pieces>([&](int k) { body(index_t{k} * N * warp_size, kept_[k]); });
        for (index_t i = held_pieces * N * warp_size; i < n_; i += N * warp_size) body(i, read_(i));
    }
    /// One of those that are kept.
    constexpr piece const& operator[](int k) const { return kept_[k]; }

private:
    index_t n_;
    Read read_;
    piece kept_[held_pieces];
};
template <int N, class Read>
constexpr held_row<N, Read> hold(index_t n, Read read) {
    return {n, read};
}

/// Whether a lane may take `Wide` numbers at once of rows of n numbers in these arrays.
template <int Wide>
bool takes_wide(index_t n, std::vector<void const*> const& arrays) {
    return n % Wide == 0 && std::all_of(arrays.begin(), arrays.end(), [](void const* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; });
}
/// `run(Wide or one)`, a std::integral_constant: how many it may take.
template <int Wide = 4, class Run>
void with_width(index_t n, std::vector<void const*> const& arrays, Run run) {
    if (takes_wide<Wide>(n, arrays))
        run(std::integral_constant<int, Wide>{});
    else
        run(std::integral_constant<int, 1>{});
}

}  // namespace attnlab::gpu
