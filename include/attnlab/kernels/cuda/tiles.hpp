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
                for (int* x : {&hulls_[r].some_begin, &hulls_[r].some_end, &hulls_[r].all_begin, &hulls_[r].all_end}) *x = kept(*x);
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
template <class Products, bool Light = true, class Body>
constexpr void whole_or_not(tile_seen seen, Body body) {
    if constexpr (Light && Products::written_out)
        if (seen == tile_seen::all) return body(std::true_type{});
    body(std::false_type{});
}

/// Rows of a head in memory, as a warp copies them to shared memory tile by tile.
template <int Warps, class Rows, class Warp>
class tile_stream {
public:
    tile_stream() = default;
    template <class Source>
    constexpr tile_stream(Warp const& w, Rows const& rows, Source const& from, index_t b, index_t h, index_t T)
        : begin_(rows.source_at(w, from.row(b, h, 0), from.position)), T_(static_cast<int>(T)) {}
    /// Shared rows first .. first + count become rows t, t + 1, ... of memory.
    constexpr void fetch(Warp const& w, Rows const& rows, int first, int t, int count) const { rows.template copy<Warps>(w, first, begin_.from(t), count, T_ - t); }

private:
    typename Rows::template source<Warp> begin_;
    int T_;
};

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
            to.copy_async(w, Warp::each_lane([&](int lane) { return at + first + lane; }), Warp::each_lane([&](int lane) { return from + first + lane; }));
    }
}

/// What a query sees of the keys from some key on, in whole numbers of 32 bits: those of 64 would be most of a tile on the diagonal.
template <class Mask>
class query_sees {
public:
    query_sees() = default;   // trivial: nvcc would not have it in lanes on a device otherwise
    explicit constexpr query_sees(index_t first) : begin_{}, length_{}, query_(0), first_(static_cast<int>(first)) {}   ///< nothing
    constexpr query_sees(visible_keys<Mask> const& visible, index_t query, index_t first) : query_(static_cast<int>(query)), first_(static_cast<int>(first)) {
        for (std::size_t r = 0; r < count; ++r) {
            auto const& range = visible.ranges()[r];
            begin_[r] = static_cast<int>(range.begin - first), length_[r] = static_cast<std::uint32_t>(range.end - range.begin);
        }
    }
    /// Of key first + c.
    constexpr bool operator()(int c) const {
        bool in = false;
        for (std::size_t r = 0; r < count; ++r) in = in || static_cast<std::uint32_t>(c - begin_[r]) < length_[r];
        if constexpr (visible_keys<Mask>::has_holes) in = in && Mask::sees(query_, first_ + c);
        return in;
    }
    /// Of the lane that each lane names.
    template <class Warp>
    static constexpr typename Warp::template lanes<query_sees> from_lanes(typename Warp::template lanes<query_sees> x, typename Warp::whole lane) {
        auto const take = [&](auto part) {
            auto const taken = Warp::from_lanes(each(x, [&](query_sees q) { return part(q); }), lane);
            Warp::visit([&](int, int l) { part(x.v[l]) = taken.v[l]; });
        };
        for (std::size_t r = 0; r < count; ++r) {
            take([r](query_sees& q) -> int& { return q.begin_[r]; });
            take([r](query_sees& q) -> std::uint32_t& { return q.length_[r]; });
        }
        if constexpr (visible_keys<Mask>::has_holes) take([](query_sees& q) -> int& { return q.query_; });
        return x;
    }

private:
    static constexpr std::size_t count = visible_keys<Mask>::range_count;
    int begin_[count];
    std::uint32_t length_[count];
    int query_, first_;
};
/// Query i of sequence b, which may be beyond the last.
template <class Policy, class Problem>
constexpr query_sees<typename Policy::mask> sees_of(Problem const& p, index_t b, index_t i, index_t first) {
    if (i >= p.T) return query_sees<typename Policy::mask>(first);
    return {p.template visible<Policy>(b, i), i, first};
}

/// Which pairs of a tile are seen, where a warp's rows are queries i0 .. i0 + 16 and its columns keys from j0 on.
template <class Policy, class Warp>
class seen_pairs {
public:
    template <class Problem>
    constexpr seen_pairs(Problem const& p, tile_seen seen, index_t b, index_t i0, index_t j0) : all_(seen == tile_seen::all) {
        if (all_) return;
        unrolled<2>([&](int half) {
            rows_[static_cast<std::size_t>(half)] = Warp::each_lane([&](int lane) { return sees_of<Policy>(p, b, i0 + row_of(lane, 2 * half), j0 + column_of(lane, 0)); });
        });
    }
    /// Of element i of fragment n.
    constexpr typename Warp::flag operator()(int n, int i) const {
        return each(rows_[static_cast<std::size_t>(i / 2)], [&](query_sees<typename Policy::mask> const& sees) { return all_ || sees(8 * n + i % 2); });
    }

private:
    bool all_;
    std::array<typename Warp::template lanes<query_sees<typename Policy::mask>>, 2> rows_{};
};
/// The same of rows that are keys j0 .. j0 + 16 and `Columns` that are queries from i0 on: bit 4 n + i of element i of fragment n. What a query sees is found by one lane for all.
template <class Policy, class Warp, int Columns>
class seen_turned {
    using sees = query_sees<typename Policy::mask>;

public:
    template <class Problem>
    constexpr seen_turned(Problem const& p, tile_seen seen, index_t b, index_t j0, index_t i0) : bits_(seen == tile_seen::all ? ~0u : 0u) {
        if (seen == tile_seen::all) return;
        unrolled<Columns / warp_size>([&](int part) {
            auto const known = Warp::each_lane([&](int lane) { return sees_of<Policy>(p, b, i0 + part * warp_size + lane, j0); });
            unrolled<4>([&](int n) {
                unrolled<2>([&](int k) {
                    auto const of_column = sees::template from_lanes<Warp>(known, Warp::each_lane([&](int lane) { return 8 * n + column_of(lane, k); }));
                    Warp::visit([&](int lane, int l) {
                        for (int half = 0; half < 2; ++half)
                            if (of_column.v[l](lane / 4 + 8 * half)) bits_.v[l] |= 1u << (16 * part + 4 * n + 2 * half + k);
                    });
                });
            });
        });
    }
    constexpr typename Warp::flag operator()(int n, int i) const {
        return each(bits_, [&](std::uint32_t bits) { return (bits >> (4 * n + i) & 1) != 0; });
    }

private:
    typename Warp::template lanes<std::uint32_t> bits_;
};
/// Either. `Whole`: all are seen, and nothing is asked.
template <class Policy, class Warp, int Columns, bool Turned, bool Whole, class Problem>
constexpr auto pairs_of(Warp const&, [[maybe_unused]] Problem const& p, [[maybe_unused]] tile_seen seen, [[maybe_unused]] index_t b, [[maybe_unused]] index_t row,
                        [[maybe_unused]] index_t column) {
    if constexpr (Whole) return [](int, int) { return typename Warp::flag(true); };
    else if constexpr (Turned) return seen_turned<Policy, Warp, Columns>(p, seen, b, row, column);
    else return seen_pairs<Policy, Warp>(p, seen, b, row, column);
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
/// These rows, of a problem's T and D, become c times `scale`, or are added to.
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
                    if (add) {
                        if (channel < p.D) x += static_cast<float>(row[channel]);
                        if (channel + 1 < p.D) y += static_cast<float>(row[channel + 1]);
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
