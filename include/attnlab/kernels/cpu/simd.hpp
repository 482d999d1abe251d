#pragma once
#include <algorithm>
#include <cstddef>
#include <utility>

// g++ 12 takes its own AVX-512 intrinsics for uses of uninitialised values (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <xsimd/xsimd.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <attnlab/core/view.hpp>

/// \file
/// One register of floats, of whatever width the target has. Arithmetic and comparisons are xsimd's.

namespace attnlab {

using lanes = xsimd::batch<float>;
inline constexpr index_t register_width = static_cast<index_t>(lanes::size);

inline lanes load(float const* p) { return lanes::load_unaligned(p); }
inline lanes load_aligned(float const* p) { return lanes::load_aligned(p); }
inline void store(float* p, lanes x) { x.store_unaligned(p); }
inline void store_aligned(float* p, lanes x) { x.store_aligned(p); }

/// The compiler's own vector type under `lanes`. The few functions below are written on it, for g++ and clang alike: xsimd 8.1
/// has no fma on AVX-512 (it multiplies, then adds), no largest element, and an exp that under clang makes infinity of NaN. Being
/// no templates, these win over xsimd's in an unqualified call.
using reg = lanes::register_type;

/// a * b + c, rounded once where the target can: compilers fuse one expression.
inline lanes fma(lanes a, lanes b, lanes c) { return reg(a.data * b.data + c.data); }
/// The larger; b where one is NaN.
inline lanes max(lanes a, lanes b) { return reg(a.data > b.data ? a.data : b.data); }
/// The smaller; b where one is NaN.
inline lanes min(lanes a, lanes b) { return reg(a.data < b.data ? a.data : b.data); }

/// Which lanes are meant: all bits of an integer, or none.
using lane_mask = decltype(reg{} > reg{});
namespace detail {
template <std::size_t... I>
lane_mask lane_bits(std::index_sequence<I...>) {
    return lane_mask{(1 << I)...};
}
template <std::size_t... I>
lanes lane_numbers(std::index_sequence<I...>) {
    return reg{static_cast<float>(I)...};
}
}  // namespace detail
/// Lane i is meant where bit i is set.
inline lane_mask mask_of(unsigned bits) {
    return ((lane_mask{} + static_cast<int>(bits)) & detail::lane_bits(std::make_index_sequence<lanes::size>{})) != lane_mask{};
}
/// a in the lanes that are meant, b in the others.
inline lanes select(lane_mask m, lanes a, lanes b) { return reg(m ? a.data : b.data); }
/// 0, 1, 2, ...
inline lanes counting() { return detail::lane_numbers(std::make_index_sequence<lanes::size>{}); }

/// The register with lane i in place of lane i ^ Half.
template <index_t Half, std::size_t... I>
lanes exchanged(lanes x, std::index_sequence<I...>) {
    return reg{x.data[I ^ Half]...};  // compilers see the permutation
}
/// One number from a register: `op` on x and x with its halves exchanged, then quarters, and so on.
template <index_t Half = register_width / 2, class Op>
float fold(lanes x, Op op) {
    if constexpr (Half == 0)
        return x.data[0];
    else
        return fold<Half / 2>(op(x, exchanged<Half>(x, std::make_index_sequence<lanes::size>{})), op);
}
/// Sum of a register's elements.
inline float hsum(lanes x) {
    return fold(x, [](lanes a, lanes b) { return a + b; });
}
/// Largest element of a register; unspecified where one is NaN.
inline float hmax(lanes x) {
    return fold(x, [](lanes a, lanes b) { return max(a, b); });
}

/// e^x to one unit in the last place; 0 below -87.7, infinity above 88.37, NaN from NaN. e^x = 2^k e^r with r = x - k ln 2,
/// |r| <= ln 2 / 2; the polynomial is Cephes' expf.
inline lanes exp(lanes x) {
    x = min(lanes(88.8f), max(lanes(-88.0f), x));
    // k + 127 is positive, so that truncating rounds to nearest, and is the exponent field of 2^k: 0 for 0, 255 for infinity.
    auto const biased = __builtin_convertvector(fma(x, 1.44269504f, 127.5f).data, decltype(x.data > x.data));
    lanes const k = lanes(reg(__builtin_convertvector(biased, reg))) - 127.0f;
    lanes const r = fma(k, 2.12194440e-4f, fma(k, -0.693359375f, x));
    lanes p = 1.9875691500e-4f;
    for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) p = fma(p, r, c);
    return (fma(p, r * r, r) + 1.0f) * lanes(reg(biased << 23));
}

/// tanh x to a few units in the last place: Cephes' tanhf.
inline lanes tanh(lanes x) {
    lanes const square = x * x;
    lanes p = -5.70498872745e-3f;
    for (float c : {2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f}) p = fma(p, square, c);
    lanes const near_zero = fma(p * square, x, x), e = exp(x + x);   // e may be infinite: 2 / infinity is 0
    return reg(square.data < lanes(0.625f * 0.625f).data ? near_zero.data : (lanes(1.0f) - lanes(2.0f) / (e + 1.0f)).data);
}

/// The first `count` < register_width elements of a row's tail.
struct tail {
    index_t count;
};
/// A whole register, where a function also takes a `tail`.
struct every_lane {};

inline lanes load(float const* p, every_lane, float = 0) { return load(p); }
inline void store(float* p, lanes x, every_lane) { store(p, x); }
/// Reads `t.count` elements; the others are `fill`.
inline lanes load(float const* p, tail t, float fill = 0) {
    alignas(lanes) float v[lanes::size];
    std::fill(std::copy_n(p, t.count, v), v + register_width, fill);
    return load_aligned(v);
}
inline void store(float* p, lanes x, tail t) {
    alignas(lanes) float v[lanes::size];
    store_aligned(v, x);
    std::copy_n(v, t.count, p);
}

/// Walks n elements a register at a time: `body(i, every_lane{})`, and `body(i, tail{n - i})` for what is left. Always inlined:
/// left to itself, g++ calls it, and then what the body captures lives in memory (twice the time of a short row).
template <class Body>
[[gnu::always_inline]] inline void each_lanes(index_t n, Body body) {
    index_t i = 0;
    for (; i + register_width <= n; i += register_width) body(i, every_lane{});
    if (i < n) body(i, tail{n - i});
}

}  // namespace attnlab
