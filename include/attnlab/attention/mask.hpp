#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

#include <attnlab/attention/symbols.hpp>

/// \file
/// Masks. A mask says which keys a query sees: `keys(i, T)` gives one range, or an array of ranges in order; a third argument is where
/// the document of i begins. `sees(i, j)` may take single keys out of the ranges. Tiles that no row sees are never computed. `monotone` says that each range of a later
/// query begins and ends no earlier: then the first and the last of some queries speak for all of them.

namespace attnlab {

/// Query i sees keys 0 .. i.
struct causal {
    static constexpr bool monotone = true;
    static constexpr key_range keys(index_t i, index_t) { return {0, i + 1}; }
};

/// Every query sees every key.
struct full {
    static constexpr bool monotone = true;
    static constexpr key_range keys(index_t, index_t T) { return {0, T}; }
};

/// Query i sees itself and the `Width` - 1 keys before it (Longformer, 2004.05150; Mistral, 2310.06825).
template <index_t Width>
struct sliding_window {
    static_assert(Width > 0, "sliding_window<Width>: Width counts the query itself and must be positive");
    static constexpr bool monotone = true;
    static constexpr key_range keys(index_t i, index_t) { return {std::max<index_t>(i + 1 - Width, 0), i + 1}; }
};

/// A sliding window that also sees the first `Sinks` keys (StreamingLLM, 2309.17453).
template <index_t Sinks, index_t Width>
struct sink_window {
    static_assert(Sinks >= 0 && Width > 0, "sink_window<Sinks, Width>: Width counts the query itself and must be positive");
    static constexpr bool monotone = true;
    static constexpr std::array<key_range, 2> keys(index_t i, index_t) {
        index_t const begin = std::max<index_t>(i + 1 - Width, 0);
        return {{{0, std::min(Sinks, begin)}, {begin, i + 1}}};
    }
};

/// The first `Length` positions see one another, the others what came before (prefix language model, 1910.10683).
template <index_t Length>
struct prefix {
    static constexpr bool monotone = true;
    static constexpr key_range keys(index_t i, index_t T) { return {0, std::min(T, std::max(i + 1, Length))}; }
};

/// Query i sees keys 0 .. i of its own document; where documents begin is the call's to say.
struct document {
    static constexpr bool monotone = true;
    static constexpr key_range keys(index_t i, index_t, index_t first) { return {first, i + 1}; }
};

/// Every `Step`-th key backwards from i, `Count` of them (sparse transformers, 1904.10509).
template <index_t Step, index_t Count>
struct dilated_window {
    static_assert(Step > 0 && Count > 0, "dilated_window<Step, Count>: both must be positive");
    static constexpr key_range keys(index_t i, index_t) { return {std::max<index_t>(i + 1 - Step * Count, 0), i + 1}; }
    static constexpr bool sees(index_t i, index_t j) { return (i - j) % Step == 0; }
};

namespace detail {
constexpr std::array<key_range, 1> as_array(key_range k) { return {k}; }
template <std::size_t N>
constexpr std::array<key_range, N> as_array(std::array<key_range, N> const& k) {
    return k;
}
template <class Mask>
constexpr auto ranges_of(index_t i, index_t T, index_t document) {
    if constexpr (requires { Mask::keys(i, T, document); })
        return as_array(Mask::keys(i, T, document));
    else
        return as_array(Mask::keys(i, T));
}
/// Whether a mask takes single keys out of its ranges.
template <class Mask>
inline constexpr bool has_holes = requires(index_t i) { Mask::sees(i, i); };
/// Whether it says `monotone`.
template <class Mask>
inline constexpr bool is_monotone = requires { requires Mask::monotone; };
}  // namespace detail

/// Keys that both masks show; each of one range, as `both<document, sliding_window<64>>`.
template <class A, class B>
struct both {
    static constexpr bool monotone = detail::is_monotone<A> && detail::is_monotone<B>;
    static constexpr key_range keys(index_t i, index_t T, index_t first) {
        auto const a = detail::ranges_of<A>(i, T, first), b = detail::ranges_of<B>(i, T, first);
        static_assert(a.size() == 1 && b.size() == 1, "both<A, B>: expected two masks of one range of keys each");
        return {std::max(a[0].begin, b[0].begin), std::min(a[0].end, b[0].end)};
    }
    static constexpr bool sees(index_t i, index_t j)
        requires(detail::has_holes<A> || detail::has_holes<B>)
    {
        bool in = true;
        if constexpr (detail::has_holes<A>) in = in && A::sees(i, j);
        if constexpr (detail::has_holes<B>) in = in && B::sees(i, j);
        return in;
    }
};

/// Whether the mask asks where documents begin.
template <class Mask>
inline constexpr bool reads_documents = requires(index_t i) { Mask::keys(i, i, i); };

/// What query i sees under `Mask`.
template <class Mask>
class visible_keys {
public:
    /// Whether keys inside a range may be unseen.
    static constexpr bool has_holes = detail::has_holes<Mask>;
    static constexpr std::size_t range_count = std::tuple_size_v<decltype(detail::ranges_of<Mask>(0, 1, 0))>;

    /// \param document where the document of i begins
    constexpr visible_keys(index_t i, index_t T, index_t document) : i_(i), ranges_(detail::ranges_of<Mask>(i, T, document)) {
        for (auto& r : ranges_) r.begin = std::max<index_t>(r.begin, 0), r.end = std::max(r.begin, std::min(r.end, T));
    }

    constexpr std::array<key_range, range_count> const& ranges() const { return ranges_; }
    constexpr bool sees(index_t j) const {
        bool in = false;
        for (auto const& r : ranges_) in = in || (r.begin <= j && j < r.end);
        if constexpr (has_holes) in = in && Mask::sees(i_, j);
        return in;
    }
    /// n_i: how many keys.
    constexpr index_t count() const {
        index_t n = 0;
        for (auto const& r : ranges_)
            if constexpr (has_holes)
                for (index_t j = r.begin; j < r.end; ++j) n += Mask::sees(i_, j);
            else
                n += r.end - r.begin;
        return n;
    }
    constexpr bool none() const { return count() == 0; }
    /// Bit c says whether key first + c is seen, c < `count` <= 64.
    constexpr std::uint64_t bits(index_t first, index_t count) const {
        std::uint64_t all = 0;
        for (auto const& r : ranges_) {
            index_t const begin = std::max<index_t>(r.begin - first, 0), end = std::min(r.end - first, count);
            if (begin < end) all |= (~std::uint64_t{0} >> (64 - (end - begin))) << begin;
        }
        if constexpr (has_holes)
            for (index_t c = 0; c < count; ++c)
                if ((all >> c & 1) && !Mask::sees(i_, first + c)) all &= ~(std::uint64_t{1} << c);
        return all;
    }
    /// Whether some of the keys first .. first + count are seen, count <= 64.
    constexpr bool some(index_t first, index_t count) const {
        if constexpr (has_holes) return bits(first, count) != 0;
        bool found = false;
        for (auto const& r : ranges_) found = found || (r.begin < r.end && r.begin < first + count && first < r.end);
        return found;
    }
    /// Whether all of them are, in one range.
    constexpr bool all(index_t first, index_t count) const {
        if constexpr (has_holes) return bits(first, count) == ~std::uint64_t{0} >> (64 - count);
        bool found = false;
        for (auto const& r : ranges_) found = found || (r.begin <= first && first + count <= r.end);
        return found;
    }
    /// `body(j)` for each key seen, in order.
    template <class Body>
    constexpr void each(Body body) const {
        for (auto const& r : ranges_)
            for (index_t j = r.begin; j < r.end; ++j)
                if (!has_holes || sees(j)) body(j);
    }

private:
    index_t i_;
    std::array<key_range, range_count> ranges_;
};

}  // namespace attnlab
