#pragma once
#include <array>

#include <attnlab/kernels/cpu/simd.hpp>

/// \file
/// A square of registers, as many as one has lanes: transposed, or each of them folded to one number, in log2(width) rounds of
/// shuffles that compilers see through.

namespace attnlab {

using lane_square = std::array<lanes, lanes::size>;

namespace detail {

/// Lane j from a where bit `Half` of j is clear, else from b at j - Half.
template <std::size_t Half, std::size_t... J>
lanes low_halves(lanes a, lanes b, std::index_sequence<J...>) {
    return reg(__builtin_shufflevector(a.data, b.data, ((J & Half) != 0 ? lanes::size + J - Half : J)...));
}
/// Lane j from a at j + Half where bit `Half` of j is clear, else from b at j.
template <std::size_t Half, std::size_t... J>
lanes high_halves(lanes a, lanes b, std::index_sequence<J...>) {
    return reg(__builtin_shufflevector(a.data, b.data, ((J & Half) != 0 ? lanes::size + J : J + Half)...));
}

template <std::size_t Half = lanes::size / 2>
[[gnu::always_inline]] inline void transpose_round(lane_square& x) {
    if constexpr (Half > 0) {
        constexpr auto all = std::make_index_sequence<lanes::size>{};
#pragma GCC unroll 16
        for (std::size_t i = 0; i < lanes::size; ++i)
            if ((i & Half) == 0) {
                lanes const low = low_halves<Half>(x[i], x[i + Half], all);
                x[i + Half] = high_halves<Half>(x[i], x[i + Half], all);
                x[i] = low;
            }
        transpose_round<Half / 2>(x);
    }
}

template <std::size_t Half, class Op>
[[gnu::always_inline]] inline lanes fold_round(lane_square& x, Op op) {
    if constexpr (Half == 0) {
        return x[0];
    } else {
        constexpr auto all = std::make_index_sequence<lanes::size>{};
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Half; ++i)
            x[i] = op(low_halves<Half>(x[i], x[i + Half], all), high_halves<Half>(x[i], x[i + Half], all));
        return fold_round<Half / 2>(x, op);
    }
}

}  // namespace detail

/// Lane j of register i becomes lane i of register j.
inline void transpose(lane_square& x) { detail::transpose_round(x); }

/// Lane i: all lanes of register i, folded with `op`.
template <class Op>
lanes fold_each(lane_square x, Op op) {
    return detail::fold_round<lanes::size / 2>(x, op);
}

}  // namespace attnlab
