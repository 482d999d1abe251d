#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/cuda/tile_products.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// What the kernels of attention share: sizes of tiles, where rows lie, scores of a tile in fragments, and where these go.

namespace attnlab::gpu {

/// A problem whose parameters travel with the kernel.
template <class Policy>
using tile_problem = attention_problem<float, std::array<float const*, Policy::parameter_count + 1>>;

/// Rows of q, k, v or do as tiles read them: of the products' elements, of as many channels as the kernel is compiled for, on 16 bytes (pack.hpp).
template <class Products>
using tile_source = heads<typename Products::element const>;

/// Which head a block has, and the how-many-th of that head's blocks it is.
struct block_place {
    index_t pair, turn;
};
/// Blocks start in order of `id`. Heads are taken in groups that the second cache holds, `bytes` a head of what all of its blocks read; within a
/// group the first blocks of all heads come first, which are given the most work.
constexpr block_place place_of_block(index_t id, index_t pairs, index_t turns, index_t bytes) {
    constexpr index_t cache = index_t{16} << 20;   // a third of an H100's
    index_t const fit = cache / bytes, group = fit < 1 ? 1 : fit < pairs ? fit : pairs;
    index_t const first = id / (group * turns) * group, size = group < pairs - first ? group : pairs - first, within = id - first * turns;
    return {first + within % size, within / size};
}

/// Bytes that T rows of D channels take.
template <class Products>
constexpr index_t bytes_of_rows(index_t T, index_t D) {
    return T * D * static_cast<index_t>(sizeof(typename Products::element));
}
/// T in whole tiles, of whatever kernel.
constexpr index_t padded_length(index_t T) { return (T + 63) / 64 * 64; }

/// Sizes of tiles for heads of up to D channels. A block owns `own` tokens (queries, or keys), 16 a warp, and walks the others in tiles.
template <class Products, int D>
struct tile_sizes {
    static constexpr int row_bytes = D * static_cast<int>(sizeof(typename Products::element));
    static constexpr int warps = row_bytes > 512 ? 2 : 4, own = 16 * warps;
    static constexpr int stages = row_bytes > 512 ? 1 : 2;                    ///< tiles in shared memory: one is used, the next one comes
    static constexpr int other = row_bytes > 256 ? 32 : 64;
    static constexpr int other_back = row_bytes >= 256 ? 32 : 64;    ///< on the way back, where accumulators are more
    static constexpr int columns_back = D > 128 ? 128 : D;                    ///< channels of dk and dv that a block accumulates
    /// Blocks of backward_keys on a multiprocessor (launch.hpp), 0: as many as ptxas thinks. Where four warps multiply together a third one pays for some spilled registers.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    static constexpr int resident_keys = row_bytes <= 128 ? 3 : 0;
#else
    static constexpr int resident_keys = 0;
#endif
};

/// Writes numbers c and c + 1 of a row of D, rounded to T: in one access where that is even.
template <class T>
constexpr void put_two(T* row, index_t c, index_t D, float a, float b) {
    if (c + 1 < D && reinterpret_cast<std::uintptr_t>(row + c) % (2 * sizeof(T)) == 0) return detail::write(row + c, detail::adjacent<float, 2>{{a, b}});
    if (c < D) row[c] = static_cast<T>(a);
    if (c + 1 < D) row[c + 1] = static_cast<T>(b);
}
/// Where a warp's 16 rows go: tokens from `first` on of head h of sequence b, channels from `channel` on.
struct rows_place {
    index_t b, h, first, channel = 0;
};
/// These rows, of a problem's T and D, become c times `scale`, or are added to.
template <class Warp, std::size_t N, class Problem>
constexpr void put_rows(Warp const&, std::array<fragment_c<Warp>, N> const& c, stored_heads<float> const& all, rows_place at, Problem const& p, float scale = 1, bool add = false) {
    all.visit([&]<class T>(heads<T> const& to) {
        unrolled<2>([&](int half) {
            Warp::visit([&](int lane, int l) {
                index_t const t = at.first + row_of(lane, 2 * half);
                if (t >= p.T) return;
                T* const row = to.row(at.b, at.h, t);
                unrolled<static_cast<int>(N)>([&](int n) {
                    index_t const channel = at.channel + 8 * n + column_of(lane, 0);
                    auto const& two = c[static_cast<std::size_t>(n)];
                    float x = two[static_cast<std::size_t>(2 * half)].v[l] * scale, y = two[static_cast<std::size_t>(2 * half + 1)].v[l] * scale;
                    if (add) {
                        if (channel < p.D) x += static_cast<float>(row[channel]);
                        if (channel + 1 < p.D) y += static_cast<float>(row[channel + 1]);
                    }
                    put_two(row, channel, p.D, x, y);
                });
            });
        });
    });
}
/// `body(n, i, x)` for each number x of fragments: element i of fragment n.
template <std::size_t N, class Fragment, class Body>
constexpr void each_score(std::array<Fragment, N>& all, Body body) {
    unrolled<static_cast<int>(N)>([&](int n) { unrolled<4>([&](int i) { body(n, i, all[static_cast<std::size_t>(n)][static_cast<std::size_t>(i)]); }); });
}

/// `op` over the columns that the four lanes of a row hold: each of them gets the result.
template <class Warp, class T, class Op>
constexpr auto over_row(lanes_of<T, Warp::held> const& x, Op op) {
    return Warp::template butterfly<4, 1>(x, op);
}

}  // namespace attnlab::gpu
