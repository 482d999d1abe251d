#pragma once
#include <array>
#include <cstdint>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/lanes.hpp>

/// \file
/// Products of 16 x 16 by 16 x 8 on a warp's tensor cores, in the fragments of PTX's mma (PTX ISA, warp-level matrix instructions): lane
/// l = 4 g + q holds of A rows g and g + 8, of B column g, of both k = 2q, 2q + 1 and 2q + 8, 2q + 9, two adjacent k being a pair; of C
/// rows g and g + 8, columns 2q and 2q + 1. With bfloat16 that is m16n8k16. In float a pair is two k of m16n8k8, whose k may come in any order
/// that A and B share, so that the same lanes own the same numbers, and C of one product is A of the next without a shuffle.

namespace attnlab::gpu {

/// Numbers rounded to bfloat16, sums in float.
struct bfloat16_products {
    using element = bfloat16;
    static constexpr bool written_out = true;   ///< loops over channels: one instruction a step
    template <class Warp>
    using pair = typename Warp::template lanes<std::uint32_t>;
    static constexpr bfloat16 round(float x) { return bfloat16(x); }
};
/// Floats, as two tf32 each: big * big + small * big + big * small, an error of about 2^-21 (Henry, Tang, Heinecke 2019).
struct float_products {
    using element = float;
    static constexpr bool written_out = false;
    template <class Warp>
    struct pair {
        typename Warp::number low, high;
    };
    static constexpr float round(float x) { return x; }
};

template <class Warp, class Products>
using fragment_a = std::array<typename Products::template pair<Warp>, 4>;   ///< (g, 2q), (g + 8, 2q), (g, 2q + 8), (g + 8, 2q + 8)
template <class Warp, class Products>
using fragment_b = std::array<typename Products::template pair<Warp>, 2>;   ///< (2q, g), (2q + 8, g)
template <class Warp>
using fragment_c = std::array<typename Warp::number, 4>;   ///< (g, 2q), (g, 2q + 1), (g + 8, 2q), (g + 8, 2q + 1)

/// Row and column of element i of C in a lane.
constexpr int row_of(int lane, int i) { return lane / 4 + 8 * (i / 2); }
constexpr int column_of(int lane, int i) { return 2 * (lane % 4) + i % 2; }

template <class Warp>
constexpr void clear(fragment_c<Warp>& c) {
    for (auto& e : c) e = typename Warp::number(0.0f);
}
/// Two results, of columns 0 to 7 and 8 to 15, as the A of a product over those columns.
template <class Products, class Warp>
constexpr fragment_a<Warp, Products> as_a(Warp const& w, fragment_c<Warp> const& left, fragment_c<Warp> const& right) {
    return {pair_of(w, Products{}, left[0], left[1]), pair_of(w, Products{}, left[2], left[3]), pair_of(w, Products{}, right[0], right[1]),
            pair_of(w, Products{}, right[2], right[3])};
}

}  // namespace attnlab::gpu
