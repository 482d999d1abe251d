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
/// What the kernels of attention share: sizes of tiles, packed rows, scores of a tile in fragments, which of them are seen.

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

/// Whether a tile's pairs of query and key are seen.
enum class tile_seen { none, some, all };

/// What queries i0 .. i0 + rows of sequence b see of a tile of keys; the same for all warps. Where a mask is monotone the first and the last of them speak for all, once for
/// all tiles ("some" may then be said of a tile that none sees); else every tile asks every query.
template <class Policy, class Problem>
class rows_seen {
    using mask = typename Policy::mask;
    static constexpr bool known = attnlab::detail::is_monotone<mask> && !attnlab::detail::has_holes<mask>;
    struct hull {
        int some_begin, some_end, all_begin, all_end;
    };

public:
    constexpr rows_seen(Problem const& p, index_t b, index_t i0, index_t rows) : p_(p), b_(b), i0_(i0), rows_(rows) {
        if constexpr (known) {
            index_t const end = i0 + rows < p.T ? i0 + rows : p.T;
            auto const first = p.template visible<Policy>(b, i0 < p.T ? i0 : 0).ranges(), last = p.template visible<Policy>(b, end > 0 ? end - 1 : 0).ranges();
            for (std::size_t r = 0; r < hulls_.size(); ++r) {
                auto const whole = [](index_t x) { return static_cast<int>(x); };
                hulls_[r] = {whole(first[r].begin), whole(last[r].end), whole(last[r].begin), whole(first[r].end)};
                if (i0 + rows > p.T) hulls_[r].all_end = -1;
                if (i0 >= p.T) hulls_[r].some_end = -1;
            }
        }
    }
    template <class Block>
    constexpr tile_seen operator()([[maybe_unused]] Block& block, int j0, int columns) const {
        if constexpr (known) {
            bool some = false, all = false;
            for (auto const& h : hulls_) {
                some = some || (h.some_begin < j0 + columns && j0 < h.some_end);
                all = all || (h.all_begin <= j0 && j0 + columns <= h.all_end);
            }
            return all ? tile_seen::all : some ? tile_seen::some : tile_seen::none;
        } else {
            auto const in = [&](index_t r) { return i0_ + r < p_.T; };
            auto const row = [&](index_t r) { return p_.template visible<Policy>(b_, i0_ + r); };
            if (!block.any(rows_, [&](index_t r) { return in(r) && row(r).some(j0, columns); })) return tile_seen::none;
            return block.all(rows_, [&](index_t r) { return in(r) && row(r).all(j0, columns); }) ? tile_seen::all : tile_seen::some;
        }
    }

private:
    Problem const& p_;
    index_t b_, i0_, rows_;
    std::array<hull, known ? visible_keys<mask>::range_count : 0> hulls_{};
};
template <class Policy, class Problem>
constexpr rows_seen<Policy, Problem> what_rows_see(Problem const& p, index_t b, index_t i0, index_t rows) {
    return {p, b, i0, rows};
}

/// Walks those tiles j of `columns` out of `length` of which `seen_of(j)` is not none, in phases: `fetch(warp, j, stage)` starts copies to shared memory, one tile
/// ahead where there are two stages; `arrived(warp)`, when they are there, and `visit(j, stage, seen)` after a barrier, with which it ends too.
template <int Stages, class Block, class SeenOf, class Fetch, class Arrived, class Visit>
constexpr void walk_tiles(Block& block, index_t length, int columns, SeenOf seen_of, Fetch fetch, Arrived arrived, Visit visit) {
    using Warp = typename Block::warp;
    int const tiles = static_cast<int>((length + columns - 1) / columns);
    tile_seen seen{}, seen_after{};
    auto const next = [&](int j, tile_seen& found) {
        for (; j < tiles; ++j)
            if ((found = seen_of(j)) != tile_seen::none) break;
        return j;
    };
    int stage = 0;
    int j = next(0, seen);
    if (Stages == 2 && j < tiles)
        block.each_warp([&](Warp const& w) {
            fetch(w, j, 0);
            block.commit(w);
        });
    while (j < tiles) {
        int const after = next(j + 1, seen_after);
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
            arrived(w);
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

/// Rows that a block owns, to be multiplied by the scale of scores once they are there: with the first tile, on whose way they are waited for.
template <int Warps, class Rows>
class scaled_rows {
public:
    constexpr scaled_rows(Rows const& rows, int count, float by) : rows_(rows), count_(count), by_(by) {}
    /// For `walk_tiles`, before the barrier and after it.
    template <class Block, class Warp>
    constexpr void arrived(Block& block, Warp const& w) const {
        if (by_ == 1) return;
        rows_.template multiply<Warps>(w, 0, count_, by_);
        block.publish(w);
    }
    constexpr void done() { by_ = 1; }

private:
    Rows rows_;   // a copy: nvcc would keep in memory what points to itself
    int count_;
    float by_;
};

/// Copies `count` records of 16 bytes, a multiple of a warp's lanes, a lane a record.
template <int Warps, class Warp, class Shared>
constexpr void copy_records(Warp const& w, Shared const& to, int at, typename Shared::value_type const* from, int count) {
    static_assert(sizeof(typename Shared::value_type) == 16);
    for (int round = 0; round < count; round += Warps * warp_size) {
        int const first = round + w.index() * warp_size;
        if (first < count)
            to.copy_async(w, Warp::each_lane([&](int lane) { return at + first + lane; }), from, Warp::each_lane([&](int lane) { return static_cast<index_t>(first + lane); }),
                          typename Warp::flag(true));
    }
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
/// These rows, of a problem's T and D, become c times `scale`; or, of rows that are not rounded, are added to.
template <class Warp, std::size_t N, class Problem>
constexpr void put_rows(Warp const&, std::array<fragment_c<Warp>, N> const& c, stored_heads<float> const& all, rows_place at, Problem const& p, float scale = 1, bool add = false) {
    auto const put = [&]<class T>(heads<T> const& to) {
        unrolled<2>([&](int half) {
            Warp::visit([&](int lane, int l) {
                index_t const t = at.first + row_of(lane, 2 * half);
                if (t >= p.T) return;
                T* const row = to.row(at.b, at.h, t);
                unrolled<static_cast<int>(N)>([&](int n) {
                    index_t const channel = at.channel + 8 * n + column_of(lane, 0);
                    auto const& two = c[static_cast<std::size_t>(n)];
                    float x = two[static_cast<std::size_t>(2 * half)].v[l] * scale, y = two[static_cast<std::size_t>(2 * half + 1)].v[l] * scale;
                    if constexpr (std::is_same_v<T, float>)
                        if (add) {
                            if (channel < p.D) x += row[channel];
                            if (channel + 1 < p.D) y += row[channel + 1];
                        }
                    put_two(row, channel, p.D, x, y);
                });
            });
        });
    };
    all.is_rounded() ? put(all.rounded) : put(all.whole);
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
