#pragma once
#include <array>
#include <cstdint>
#include <type_traits>

#include <attnlab/attention/mask.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>

/// \file
/// Which pairs of query and key are seen: what a tile's queries see of it, and, of a tile that is not seen whole, each pair.

namespace attnlab::gpu {

/// Whether a tile's pairs of query and key are seen.
enum class tile_seen { none, some, all };

/// What queries i0 .. i0 + rows of sequence b see of keys j0 .. j0 + columns. Where a mask is monotone the first and the last of them speak for all ("some" may then be said
/// of a tile that none sees); else every query is asked.
template <class Policy, class Problem>
constexpr tile_seen what_rows_see(Problem const& p, index_t b, index_t i0, index_t rows, index_t j0, index_t columns) {
    using mask = typename Policy::mask;
    if (i0 >= p.T) return tile_seen::none;
    index_t const end = i0 + rows < p.T ? i0 + rows : p.T;
    auto const row = [&](index_t i) { return p.template visible<Policy>(b, i); };
    bool some = false, all = end == i0 + rows;
    if constexpr (attnlab::detail::is_monotone<mask> && !attnlab::detail::has_holes<mask>) {
        auto const first = row(i0).ranges(), last = row(end - 1).ranges();
        bool whole = false;
        for (std::size_t r = 0; r < first.size(); ++r) {
            some = some || (first[r].begin < j0 + columns && j0 < last[r].end);
            whole = whole || (last[r].begin <= j0 && j0 + columns <= first[r].end);
        }
        all = all && whole;
    } else {
        for (index_t i = i0; i < end && (all || !some); ++i) some = some || row(i).some(j0, columns), all = all && row(i).all(j0, columns);
    }
    return all ? tile_seen::all : some ? tile_seen::some : tile_seen::none;
}

/// `body(std::true_type{})` for a tile that is seen whole, else of false_type: compiled twice where products are instructions of their own, beside which questions
/// of what is seen would count.
template <class Products, bool Light = true, class Body>
constexpr void whole_or_not(tile_seen seen, Body body) {
    if constexpr (Light && Products::written_out)
        if (seen == tile_seen::all) return body(std::true_type{});
    body(std::false_type{});
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

}  // namespace attnlab::gpu
