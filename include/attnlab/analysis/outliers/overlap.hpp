#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/hypergeometric.hpp>
#include <attnlab/analysis/outliers/outlier_set.hpp>
#include <attnlab/core/error.hpp>

/// \file
/// How far two sets of outliers are the same, against what chance would do. Sets of different axes do not compile.

namespace attnlab {

struct overlap_options {
    index_t layer_offset = 0;      ///< A at layer l is held against B at layer l + layer_offset
    index_t slack = 0;             ///< positions (token, key) may differ by so many
    bool without_first = false;    ///< position 0 left out of both sets and of the space
};

/// Counts and ratios of A and B in the space that both have. A ratio whose denominator is 0 is absent: two empty sets are neither
/// alike nor different, and the counts say so.
struct set_overlap {
    overlap_options options;
    provenance a_from, b_from;
    std::size_t a = 0, b = 0;      ///< sizes, in the common space
    std::size_t a_outside = 0, b_outside = 0;   ///< elements beyond it: of a layer that the offset leaves alone, of position 0
    std::size_t both = 0;          ///< n(A and B): pairs, each element in one at most
    double space = 0;              ///< N, coordinates of the common space
    std::optional<double> iou;           ///< both / (a + b - both)
    std::optional<double> recall_of_a;   ///< both / a: of A by B
    std::optional<double> recall_of_b;   ///< both / b: of B by A
    std::optional<double> coefficient;   ///< both / min(a, b)
    // Chance: A thrown anywhere into the space. With a slack a hit is an element of A within it of some element of B, and `reach`
    // is how many coordinates are; without one they are `both` and `b`.
    std::size_t hits = 0, reach = 0;
    std::optional<double> expected;      ///< a * reach / N
    std::optional<double> lift;          ///< hits / expected
    std::optional<double> log10_p;       ///< of P(so many hits or more), hypergeometric; absent where A or B is empty
    std::optional<double> p() const { return log10_p ? std::optional(std::pow(10, *log10_p)) : std::nullopt; }
};

namespace detail {

/// Positions of a set along its position axis, by the other indices; without one, by all of them.
template <class Set>
auto by_line(Set const& set, std::optional<std::size_t> axis) {
    std::map<typename Set::coordinate, std::vector<index_t>> lines;
    for (auto const& e : set) {
        auto at = e.at;
        index_t const position = axis ? std::exchange(at[*axis], 0) : 0;
        lines[at].push_back(position);
    }
    return lines;
}

/// Largest number of pairs (x, y) with |x - y| <= slack, each used once; both in ascending order.
inline std::size_t pairs_within(std::vector<index_t> const& x, std::vector<index_t> const& y, index_t slack) {
    std::size_t n = 0;
    for (std::size_t i = 0, j = 0; i < x.size() && j < y.size();) {
        if (std::abs(x[i] - y[j]) <= slack) ++n, ++i, ++j;
        else ++(x[i] < y[j] ? i : j);
    }
    return n;
}

/// Positions of [begin, end) within `slack` of some y, and how many of x are among them; x and y in ascending order.
inline std::pair<std::size_t, std::size_t> reach_and_hits(std::vector<index_t> const& x, std::vector<index_t> const& y,
                                                          index_t slack, index_t begin, index_t end) {
    std::size_t reach = 0, hits = 0, i = 0;
    for (index_t done = begin; index_t v : y) {
        index_t const from = std::max(done, v - slack), to = std::min(end, v + slack + 1);
        if (to <= from) continue;
        reach += static_cast<std::size_t>(to - from);
        while (i < x.size() && x[i] < from) ++i;
        for (; i < x.size() && x[i] < to; ++i) ++hits;
        done = to;
    }
    return {reach, hits};
}

}  // namespace detail

/// Overlap of two sets over the same axes.
/// \throws error where an axis has another extent in B (channels of another model), for a layer offset without a layer axis, for
/// a slack without exactly one position axis, or one below 0
template <class... Axes>
set_overlap overlap(outlier_set<Axes...> const& first, outlier_set<Axes...> const& second, overlap_options options = {}) {
    using set = outlier_set<Axes...>;
    using axes = typename set::axes;
    constexpr auto positions = std::count(axes::positions.begin(), axes::positions.end(), true);
    require(options.slack >= 0 && (options.slack == 0 || positions == 1), "overlap: slack ", options.slack,
            ": expected sets with one axis of positions, got ", joined(axes::names));

    set a = options.without_first ? first.without_first() : first, b = options.without_first ? second.without_first() : second;
    if (options.layer_offset != 0) {
        if constexpr (axes::template has<axis::layer>) a = a.template shift<axis::layer>(options.layer_offset);
        else fail("overlap: layer offset ", options.layer_offset, ": expected sets with a layer axis, got ", joined(axes::names));
    }
    typename set::space common;
    for (std::size_t i = 0; i < axes::size; ++i) {
        auto const &x = a.ranges()[i], &y = b.ranges()[i];
        require(x.extent == y.extent || axes::letters[i] == 'B', "overlap: ", axes::names[i],
                ": expected one number of them, got ", x.extent, " in A (", a.about().rule, ", ", a.about().site, ") and ",
                y.extent, " in B (", b.about().rule, ", ", b.about().site, ")");
        common[i] = {y.extent, std::max(x.begin, y.begin), std::max(std::max(x.begin, y.begin), std::min(x.end, y.end))};
    }
    a = a.within(common), b = b.within(common);

    set_overlap r;
    r.options = options;
    r.a_from = first.about(), r.b_from = second.about();
    r.a = a.size(), r.b = b.size();
    r.a_outside = first.size() - a.size(), r.b_outside = second.size() - b.size();
    r.space = a.space_size();

    std::optional<std::size_t> line;
    if (options.slack > 0)
        for (std::size_t i = 0; i < axes::size; ++i)
            if (axes::positions[i]) line = i;
    auto const mine = detail::by_line(a, line), theirs = detail::by_line(b, line);
    for (auto const& [at, y] : theirs) {
        auto const found = mine.find(at);
        auto const& x = found == mine.end() ? std::vector<index_t>{} : found->second;
        r.both += detail::pairs_within(x, y, options.slack);
        auto const [reach, hits] =
            detail::reach_and_hits(x, y, options.slack, line ? common[*line].begin : 0, line ? common[*line].end : 1);
        r.reach += reach, r.hits += hits;
    }

    auto const share = [](std::size_t of, std::size_t n) {
        return n > 0 ? std::optional(static_cast<double>(of) / static_cast<double>(n)) : std::nullopt;
    };
    r.iou = share(r.both, r.a + r.b - r.both);
    r.recall_of_a = share(r.both, r.a);
    r.recall_of_b = share(r.both, r.b);
    r.coefficient = share(r.both, std::min(r.a, r.b));
    if (r.a > 0 && r.b > 0) {
        auto const drawn = static_cast<double>(r.a), marked = static_cast<double>(r.reach), hits = static_cast<double>(r.hits);
        r.expected = drawn * marked / r.space;
        r.lift = hits / *r.expected;
        r.log10_p = log_hypergeometric_tail(hits, drawn, marked, r.space) / std::log(10.);
    }
    return r;
}

template <class... A, class... B>
set_overlap overlap(outlier_set<A...> const&, outlier_set<B...> const&, overlap_options = {}) {
    static_assert(std::is_same_v<axis_list<A...>, axis_list<B...>>,
                  "overlap of outlier sets of different axes: project both to axes that they share (and rename<From, To>() "
                  "where one thing has two names)");
    return {};
}

/// The same overlap with and without position 0, of which every model makes a sink: agreement there is no evidence.
struct overlap_pair {
    set_overlap all;
    std::optional<set_overlap> without_first;   ///< absent for sets without positions
};
template <class Set, class Other>
overlap_pair overlaps(Set const& a, Other const& b, overlap_options options = {}) {
    constexpr auto& positions = Set::axes::positions;
    options.without_first = false;
    overlap_pair out{overlap(a, b, options), {}};
    options.without_first = true;
    if (std::find(positions.begin(), positions.end(), true) != positions.end()) out.without_first = overlap(a, b, options);
    return out;
}

}  // namespace attnlab
