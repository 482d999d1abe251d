#pragma once
#include <array>
#include <limits>
#include <type_traits>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/cuda/emulated_products.hpp>
#ifdef __CUDACC__
#include <attnlab/kernels/cuda/device_products.hpp>
#endif

/// \file
/// What the kernels of attention share: sizes of tiles, packed rows, scores of a tile in fragments, which of them are seen.

namespace attnlab::gpu {

/// A problem whose parameters travel with the kernel.
template <class Policy>
using tile_problem = attention_problem<float, std::array<float const*, Policy::parameter_count + 1>>;

/// Rows of q, k, v or do as kernels read them: (B, heads, padded T, padded D) of the products' elements, zeros in the padding, so that tiles
/// are whole and copies are of 16 bytes.
template <class Products>
struct packed_rows {
    using element = typename Products::element;
    element const* data = nullptr;
    index_t heads = 0, T = 0, D = 0;   ///< padded
    constexpr element const* row(index_t b, index_t h, index_t t) const { return data + ((b * heads + h) * T + t) * D; }
    constexpr index_t bytes_of_head() const { return T * D * static_cast<index_t>(sizeof(element)); }
};

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

/// T in whole tiles, of whatever kernel.
constexpr index_t padded_length(index_t T) { return (T + 63) / 64 * 64; }

/// A row of D in shared memory: 16 bytes apart modulo 128 from the next, so that eight rows lie in eight groups of banks.
template <class Products>
constexpr int row_stride(int D) {
    return D + 16 / static_cast<int>(sizeof(typename Products::element));
}
/// Sizes of tiles for heads of up to D channels. A block owns `own` tokens (queries, or keys), 16 a warp, and walks the others in tiles.
template <class Products, int D>
struct tile_sizes {
    static constexpr int row_bytes = D * static_cast<int>(sizeof(typename Products::element));
    static constexpr int warps = row_bytes > 512 ? 2 : 4, own = 16 * warps;
    static constexpr int stages = row_bytes > 512 ? 1 : 2;                    ///< tiles in shared memory: one is used, the next one comes
    static constexpr int other = row_bytes > 256 ? 32 : 64;
    static constexpr int other_back = row_bytes >= 256 ? 32 : 64;    ///< on the way back, where accumulators are more
    static constexpr int columns_back = D > 128 ? 128 : D;                    ///< channels of dk and dv that a block accumulates
    static constexpr int stride = row_stride<Products>(D);
    static constexpr int resident = row_bytes <= 128 ? 3 : 0;     ///< blocks of the way forward on a multiprocessor (launch.hpp)
};

/// The lowest and the highest bit of a word that has one. (<bit> calls functions of the host compiler, which nvcc leaves out of device code.)
constexpr int first_bit(std::uint64_t x) {
    int n = 0;
    for (int half = 32; half > 0; half /= 2)
        if ((x & ((std::uint64_t{1} << half) - 1)) == 0) x >>= half, n += half;
    return n;
}
constexpr int last_bit(std::uint64_t x) {
    int n = 0;
    for (int half = 32; half > 0; half /= 2)
        if (x >> half) x >>= half, n += half;
    return n;
}

/// Whether a tile's pairs of query and key are seen.
enum class tile_seen { none, some, all };

/// Of queries i0 .. i0 + rows and keys j0 .. j0 + columns of sequence b; the same for all warps.
template <class Policy, class Block, class Problem>
constexpr tile_seen seen_tile(Block& block, Problem const& p, index_t b, index_t i0, index_t rows, index_t j0, index_t columns) {
    if (!block.any(rows, [&](index_t r) { return i0 + r < p.T && p.template visible<Policy>(b, i0 + r).some(j0, columns); })) return tile_seen::none;
    bool const all = block.all(rows, [&](index_t r) { return i0 + r < p.T && p.template visible<Policy>(b, i0 + r).all(j0, columns); });
    return all ? tile_seen::all : tile_seen::some;
}

/// Walks those tiles j < `tiles` of which `seen_of(j)` is not none, in phases: `fetch(warp, j, stage)` starts copies to shared memory, one tile
/// ahead where there are two stages; `visit(j, stage, seen)` finds them there, and ends with a barrier.
template <int Stages, class Block, class SeenOf, class Fetch, class Visit>
constexpr void walk_tiles(Block& block, index_t tiles, SeenOf seen_of, Fetch fetch, Visit visit) {
    using Warp = typename Block::warp;
    tile_seen seen{}, seen_after{};
    auto const next = [&](index_t j, tile_seen& found) {
        for (; j < tiles; ++j)
            if ((found = seen_of(j)) != tile_seen::none) break;
        return j;
    };
    int stage = 0;
    index_t j = next(0, seen);
    if (Stages == 2 && j < tiles)
        block.each_warp([&](Warp const& w) {
            fetch(w, j, 0);
            block.commit(w);
        });
    while (j < tiles) {
        index_t const after = next(j + 1, seen_after);
        block.each_warp([&](Warp const& w) {
            if constexpr (Stages == 2) {
                if (after < tiles) fetch(w, after, 1 - stage);
                block.commit(w);
                block.wait(w, 1);
            } else {
                fetch(w, j, 0);
                block.commit(w);
                block.wait(w, 0);
            }
        });
        visit(j, stage, seen);
        j = after, seen = seen_after;
        if (Stages == 2) stage = 1 - stage;
    }
}

/// `body(std::true_type{})` for a tile that is seen whole, else of false_type: compiled twice where products are instructions of their own, beside which questions
/// of what is seen would count.
template <class Products, class Body>
constexpr void whole_or_not(tile_seen seen, Body body) {
    if constexpr (Products::written_out)
        if (seen == tile_seen::all) return body(std::true_type{});
    body(std::false_type{});
}

/// Copies `count` packed rows of D, a power of two, into shared memory, to row `first_row` and on, 16 bytes a lane; all `Warps` of the block
/// together, which copy a divisor of `count` at once.
template <class Products, int Warps, class Warp, class Shared>
constexpr void copy_rows(Warp const& w, int D, Shared const& to, int first_row, typename Products::element const* from, int count) {
    constexpr int in_one = 16 / static_cast<int>(sizeof(typename Products::element));
    int const stride = row_stride<Products>(D), pieces = D / in_one, bits = first_bit(static_cast<std::uint64_t>(pieces));
    int const rows = Warps * warp_size >> bits;   // at once
    // A lane's piece of the first of them; the others are constants further.
    auto const piece = Warp::each_lane([&](int lane) { return w.index() * warp_size + lane; });
    auto const at = each(piece, [&](int i) { return (first_row + (i >> bits)) * stride + (i & (pieces - 1)) * in_one; });
    auto const offset = each(piece, [&](int i) { return static_cast<index_t>(i * in_one); });
    for (int r = 0; r < count; r += rows)
        to.copy_async(w, at + typename Warp::whole(r * stride), from, offset + typename Warp::template lanes<index_t>(index_t{r} * D), typename Warp::flag(true));
}

/// Copies `count` records of 16 bytes, a multiple of a warp's lanes, a lane a record.
template <int Warps, class Warp, class Shared>
constexpr void copy_records(Warp const& w, Shared const& to, int at, typename Shared::value_type const* from, int count) {
    static_assert(sizeof(typename Shared::value_type) == 16);
    for (int first = w.index() * warp_size; first < count; first += Warps * warp_size)
        to.copy_async(w, Warp::each_lane([&](int lane) { return at + first + lane; }), from, Warp::each_lane([&](int lane) { return static_cast<index_t>(first + lane); }),
                      typename Warp::flag(true));
}

/// Scores of a warp's 16 tokens with `Columns` others: fragment n holds columns 8 n to 8 n + 7.
template <class Warp, int Columns>
using score_fragments = std::array<fragment_c<Warp>, Columns / 8>;

/// c = rows a0 .. a0 + 16 of `a` times rows b0, b0 + 1, ... of `b`, in shared memory; `channels` of D are not padding. Where D is 0 it is the
/// caller who knows the rows' stride, and that they are padded to 64.
template <class Products, int D, int Columns, class Warp, class Shared, class Stride = std::integral_constant<int, row_stride<Products>(D)>>
constexpr void multiply_rows(Warp const& w, [[maybe_unused]] int channels, Shared const& a, int a0, Shared const& b, int b0, score_fragments<Warp, Columns>& c,
                             Stride given = {}) {
    int const stride = given;   // a constant in here as well: nvcc then takes fewer registers
    for (auto& f : c) clear<Warp>(f);
    auto const add = [&](int k) {
        auto const left = load_a(w, Products{}, a, stride, a0, k);
        unrolled<Columns / 16>([&](int n) {
            auto const right = load_b(w, Products{}, b, stride, b0 + 16 * n, k);
            multiply_add(w, Products{}, c[static_cast<std::size_t>(2 * n)], left, right[0]);
            multiply_add(w, Products{}, c[static_cast<std::size_t>(2 * n + 1)], left, right[1]);
        });
    };
    if constexpr (Products::written_out && D > 0)
        unrolled<D / 16>([&](int k) { add(16 * k); });
    else if constexpr (Products::written_out)
        for (int k = 0; k < channels; k += 64) unrolled<4>([&](int step) { add(k + 16 * step); });
    else
        for (int k = 0; k < channels; k += 16) add(k);
}
/// c += x b: x in fragments (16 x Columns), rows b0, b0 + 1, ... of b in shared memory, of whose channels those from c0 on are meant.
template <class Products, int D, int Columns, std::size_t Out, class Warp, class Shared>
constexpr void multiply_fragments(Warp const& w, score_fragments<Warp, Columns> const& x, Shared const& b, int b0, int c0, std::array<fragment_c<Warp>, Out>& c) {
    constexpr int stride = tile_sizes<Products, D>::stride;
    unrolled<Columns / 16>([&](int k) {
        auto const left = as_a<Products>(w, x[static_cast<std::size_t>(2 * k)], x[static_cast<std::size_t>(2 * k + 1)]);
        unrolled<static_cast<int>(Out) / 2>([&](int n) {
            auto const right = load_b_rows(w, Products{}, b, stride, b0 + 16 * k, c0 + 16 * n);
            multiply_add(w, Products{}, c[static_cast<std::size_t>(2 * n)], left, right[0]);
            multiply_add(w, Products{}, c[static_cast<std::size_t>(2 * n + 1)], left, right[1]);
        });
    });
}
/// Which pairs of a tile are seen, where a warp's rows are queries: bit c of a lane's two words is column c + column_of(lane, 0) of its two rows.
template <class Warp>
struct seen_pairs {
    std::array<typename Warp::template lanes<std::uint64_t>, 2> rows;
    /// Of element i of fragment n.
    constexpr typename Warp::flag operator()(int n, int i) const {
        return each(rows[static_cast<std::size_t>(i / 2)], [&](std::uint64_t bits) { return (bits >> (8 * n + i % 2) & 1) != 0; });
    }
};
/// Of queries i0 .. i0 + 16 and keys j0 .. j0 + columns of sequence b.
template <class Policy, class Warp, class Problem>
constexpr seen_pairs<Warp> pairs_of(Warp const&, Problem const& p, tile_seen seen, index_t b, index_t i0, index_t j0, index_t columns) {
    seen_pairs<Warp> pairs;
    unrolled<2>([&](int half) {
        pairs.rows[static_cast<std::size_t>(half)] = Warp::each_lane([&](int lane) {
            index_t const i = i0 + row_of(lane, 2 * half);
            if (seen == tile_seen::all) return ~std::uint64_t{0};
            return i < p.T ? p.template visible<Policy>(b, i).bits(j0, columns) >> column_of(lane, 0) : 0;
        });
    });
    return pairs;
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
