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
    /// Blocks on a multiprocessor (launch.hpp), 0: as many as ptxas thinks. Where four warps multiply together a third one of backward_keys pays for some spilled registers, and
    /// kernels that own queries have room for four.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    static constexpr int resident_keys = row_bytes <= 128 ? 3 : 0, resident_queries = row_bytes <= 128 ? 4 : 0;
#else
    static constexpr int resident_keys = 0, resident_queries = 0;
#endif
};

/// Where a warp's 16 rows go: tokens from `first` on of head h of sequence b, channels from `channel` on.
struct rows_place {
    index_t b, h, first, channel = 0;
};
/// These rows, of a problem's T and D, become c times `scale`, or are added to.
template <class Warp, std::size_t N, class Problem>
constexpr void put_rows(Warp const&, std::array<fragment_c<Warp>, N> const& c, stored_heads<float> const& all, rows_place at, Problem const& p, float scale = 1, bool add = false) {
    all.visit([&]<class T>(heads<T> const& to) {
        // Asked once: at each two numbers it is most of what a block does after its tiles.
        bool const in_twos = (p.D | to.batch | to.head | to.position) % 2 == 0 && reinterpret_cast<std::uintptr_t>(to.data) % (2 * sizeof(T)) == 0;
        unrolled<2>([&](int half) {
            Warp::visit([&](int lane, int l) {
                index_t const t = at.first + row_of(lane, 2 * half), channel = at.channel + column_of(lane, 0);
                if (t >= p.T) return;
                T* const row = to.row(at.b, at.h, t) + channel;
                int const left = static_cast<int>(p.D - channel);
                auto const number = [&](int n, int e) { return c[static_cast<std::size_t>(n)][static_cast<std::size_t>(2 * half + e)].v[l] * scale; };
                if (in_twos) {
                    // What is added to is read eight at a time: no read passes a write.
                    constexpr int at_once = 8;
                    std::array<detail::adjacent<T, 2>, at_once> before;
                    unrolled<static_cast<int>(N)>([&](int n) {
                        if (add && n % at_once == 0)
                            unrolled<at_once>([&](int i) {
                                if (n + i < static_cast<int>(N) && 8 * (n + i) < left) before[static_cast<std::size_t>(i)] = *reinterpret_cast<detail::adjacent<T, 2> const*>(row + 8 * (n + i));
                            });
                        if (8 * n >= left) return;
                        detail::adjacent<float, 2> two{{number(n, 0), number(n, 1)}};
                        if (add)
                            for (int e = 0; e < 2; ++e) two.v[e] += static_cast<float>(before[static_cast<std::size_t>(n % at_once)].v[e]);
                        detail::write(row + 8 * n, two);
                    });
                } else {
                    unrolled<2 * static_cast<int>(N)>([&](int i) {
                        int const k = 8 * (i / 2) + i % 2;
                        if (k >= left) return;
                        float const x = number(i / 2, i % 2);
                        row[k] = static_cast<T>(add ? x + static_cast<float>(row[k]) : x);
                    });
                }
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
