#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include <attnlab/core/view.hpp>
#include <attnlab/core/xsimd.hpp>

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
#ifdef __SSE2__  // one instruction; of the expressions below g++ makes a comparison and a masked move
/// The larger; b where one is NaN.
inline lanes max(lanes a, lanes b) { return xsimd::max(a, b); }
/// The smaller; b where one is NaN.
inline lanes min(lanes a, lanes b) { return xsimd::min(a, b); }
#else
inline lanes max(lanes a, lanes b) { return reg(a.data > b.data ? a.data : b.data); }
inline lanes min(lanes a, lanes b) { return reg(a.data < b.data ? a.data : b.data); }
#endif

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
/// |r| <= ln 2 / 2; the polynomial's coefficients are the minimax ones for the relative error (3e-9).
inline lanes exp(lanes x) {
    x = min(lanes(88.8f), max(lanes(-88.0f), x));
    // Floats near 1.5 2^23 are whole numbers: adding one rounds, and leaves k + 127, the exponent field of 2^k, in the low bits: 0
    // for 0, 255 for infinity.
    constexpr float whole = 12582912.0f + 127.0f;
    lanes const biased = fma(x, 1.44269504f, whole), k = biased - whole;
    lanes const r = fma(k, 2.12194440e-4f, fma(k, -0.693359375f, x));
    lanes p = 1.3814320554956794e-3f;
    for (float c : {8.368851616978645e-3f, 4.1668400168418884e-2f, 1.666651964187622e-1f, 4.999999403953552e-1f, 1.0f, 1.0f})
        p = fma(p, r, c);
    return p * lanes(reg(lane_mask(biased.data) << 23));
}

/// log x to one unit in the last place; -infinity at 0, NaN below. x = 2^k (1 + m) with 1 + m in [sqrt(1/2), sqrt(2)); the polynomial
/// is Cephes' logf.
inline lanes log(lanes x) {
    reg const tiny = lanes(1.17549435e-38f).data;   // smaller ones have no leading bit: lifted by 2^23
    reg const lifted = x.data < tiny ? x.data * 8388608.0f : x.data;
    lane_mask const bits = lane_mask(lifted);
    reg fraction = reg((bits & 0x007fffff) | 0x3f000000);   // in [1/2, 1)
    lane_mask const low = fraction < 0.70710678f;
    lanes const k = reg(__builtin_convertvector((bits >> 23) - 126 + low, reg) - (x.data < tiny ? reg{} + 23.0f : reg{}));
    lanes const m = reg((low ? fraction + fraction : fraction) - 1.0f);
    lanes p = 7.0376836292e-2f;
    for (float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f,
                    3.3333331174e-1f})
        p = fma(p, m, c);
    lanes const square = m * m;
    lanes y = fma(p * square, m, k * -2.12194440e-4f);
    y = fma(k, 0.693359375f, fma(square, -0.5f, y) + m);
    reg const infinity = lanes(std::numeric_limits<float>::infinity()).data;
    reg const special = x.data == 0.0f ? -infinity : x.data == infinity ? infinity : reg{} + std::numeric_limits<float>::quiet_NaN();
    return reg(((x.data > 0.0f) & (x.data < infinity)) ? y.data : special);
}

/// log(1 + x) for 0 <= x <= 1, to two units in the last place; NaN from NaN. Minimax coefficients for the relative error (5e-9).
inline lanes log1p_of_unit(lanes x) {
    lanes p = -3.2439816277474165e-3f;
    for (float c : {1.9851256161928177e-2f, -5.69591261446476e-2f, 1.0603610426187515e-1f, -1.5305563807487488e-1f, 1.9675928354263306e-1f,
                    -2.4954131245613098e-1f, 3.332996070384979e-1f, -4.999990165233612e-1f, 1.0f})
        p = fma(p, x, c);
    return p * x;
}

/// tanh x to a few units in the last place: a quotient of polynomials on |x| < 7.9, where it reaches 1 in floats (Eigen's coefficients).
inline lanes tanh(lanes x) {
    x = min(lanes(7.90531110763549805f), max(lanes(-7.90531110763549805f), x));
    lanes const square = x * x;
    lanes p = -2.76076847742355e-16f, q = 1.19825839466702e-06f;
    for (float c : {2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f, 1.48572235717979e-05f, 6.37261928875436e-04f, 4.89352455891786e-03f})
        p = fma(p, square, c);
    for (float c : {1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f}) q = fma(q, square, c);
    return x * p / q;
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
