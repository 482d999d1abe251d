#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/axes.hpp>
#include <attnlab/analysis/outliers/outlier_set.hpp>
#include <attnlab/analysis/outliers/provenance.hpp>
#include <attnlab/analysis/scores.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/observer.hpp>

/// \file
/// site -> reducer -> rule -> outlier set. A rule is a struct with
///
///     static constexpr std::string_view name;
///     static constexpr bool reads(site_kind);                        // the kinds of sites that it takes
///     template <class Site> using axes = axis_list<...>;             // what it finds there
///     reducer;                                                       // what is kept of a layer: merge(reducer), values, not_finite
///     rule_parameters parameters() const;                            // all of them: a result carries them
///     reducer reduce(index_t sequence, view<T const, N> x) const;    // one layer of one sequence (of a weight: the matrix)
///     void decide(std::map<index_t, reducer> const& layers, auto&& found) const;   // found(coordinate, value) for each outlier
///
/// What is decided within a sequence is decided in `reduce`, so that a reducer holds candidates rather than tensors. A rule that
/// decides everything there has no `decide`: all `candidates` are outliers.

namespace attnlab {

/// The reducer of rules that look at one sequence at a time: what was found in it, by N indices.
template <std::size_t N>
struct candidates : tally {
    struct candidate {
        std::array<index_t, N> at;
        double value;
    };
    std::vector<candidate> found;

    void add(std::array<index_t, N> at, double value) { found.push_back({at, value}); }
    void merge(candidates const& o) {
        tally::merge(o);
        found.insert(found.end(), o.found.begin(), o.found.end());
    }
};

/// `found((sequence, layer, rest...), value)` for every candidate `(sequence, rest...)`: what `decide` is for most rules.
template <std::size_t N>
void report_candidates(index_t layer, candidates<N> const& of, auto&& found) {
    for (auto const& c : of.found) {
        std::array<index_t, N + 1> at;
        at[0] = c.at[0], at[1] = layer;
        std::copy(c.at.begin() + 1, c.at.end(), at.begin() + 2);
        found(at, c.value);
    }
}

namespace detail {

template <class Rule>
concept has_rule_shape = requires(Rule const& rule, typename Rule::reducer& into, typename Rule::reducer const& from) {
    std::string(Rule::name);
    Rule::reads(site_kind::rows);
    rule.parameters();
    into.merge(from);
    from.values + from.not_finite;
};

}  // namespace detail

/// Finds the outliers of one rule at one kind of site; an observer, which may as well be handed arrays:
/// `outlier_finder<float, massive, site::resid_post> f; model.logits(x, f); auto set = f.set();`. Sequences are numbered as they
/// come.
template <class T, class Rule, class Site>
class outlier_finder {
    static_assert(detail::has_rule_shape<Rule>,
                  "an outlier rule has a name, reads(site_kind), a reducer that merges and counts, and parameters(): see "
                  "attnlab/analysis/outliers/find.hpp");
    static_assert(Rule::reads(kind_of<Site>),
                  "this outlier rule does not read such a site: the letters of Site::axes say what stands there, Rule::reads "
                  "what it takes");

public:
    static constexpr std::size_t rank = (Site::axes.size() + 1) / 2;
    static constexpr bool is_weight = kind_of<Site> == site_kind::matrix;
    using sites = site_list<Site>;
    using axes = typename Rule::template axes<Site>;
    using reducer = typename Rule::reducer;

    /// \param first_sequence  number of the first sequence to come: parts that will be merged number theirs apart
    explicit outlier_finder(Rule rule = {}, looked_at about = {}, index_t first_sequence = 0)
        : rule_(std::move(rule)), about_(std::move(about)), first_(first_sequence) {}

    /// A batch of one layer, or a weight. \throws error when a weight is shown twice
    void operator()(Site, index_t layer, view<T const, rank> x) {
        for (std::size_t a = 0; a < rank; ++a) extend(Site::axes[2 * a], x.shape(a));
        if constexpr (is_weight) {
            see(layer, 0, x);
        } else {
            index_t& next = next_.try_emplace(layer, first_).first->second;
            for (index_t b = 0; b < x.shape(0); ++b) see(layer, next++, x[b]);
        }
    }

    /// Takes over what another thread, batch or rank saw with the same rule: other sequences, or other layers.
    /// \throws error when parameters differ, or both saw one sequence of one layer
    void merge(outlier_finder const& o) {
        require(rule_.parameters() == o.rule_.parameters(), Rule::name, ": merge: expected the same parameters in both parts");
        for (auto const& [layer, sequences] : o.seen_)
            for (index_t s : sequences) mark(layer, s);
        for (auto const& [layer, r] : o.layers_) layers_[layer].merge(r);
        for (auto const& [letter, n] : o.extents_) extend(letter, n);
        for (auto const& [layer, next] : o.next_) {
            index_t& mine = next_.try_emplace(layer, next).first->second;
            mine = std::max(mine, next);
        }
    }

    /// What was found. \throws error when nothing was seen
    auto set() const { return set_of(static_cast<axes*>(nullptr)); }

private:
    template <class... A>
    outlier_set<A...> set_of(axis_list<A...>*) const {
        require(!layers_.empty(), Rule::name, " at ", Site::name, ": expected at least one tensor before its outliers are asked");
        std::vector<typename outlier_set<A...>::element> elements;
        auto const found = [&](typename axes::coordinate at, double value) { elements.push_back({at, value}); };
        if constexpr (requires { rule_.decide(layers_, found); }) rule_.decide(layers_, found);
        else
            for (auto const& [layer, r] : layers_) report_candidates(layer, r, found);
        return {std::move(elements), {range<A>()...}, where_from()};
    }

    provenance where_from() const {
        provenance p{.rule = std::string(Rule::name), .parameters = rule_.parameters(), .site = std::string(Site::name),
                     .dtype = about_.dtype.empty() ? std::string(dtype_name<T>()) : about_.dtype, .bos = about_.bos};
        if constexpr (!is_weight) {
            p.length = extents_.at('T');
            std::set<index_t> all;
            for (auto const& [layer, sequences] : seen_) all.insert(sequences.begin(), sequences.end());
            p.sequences = static_cast<index_t>(all.size());
        }
        for (auto const& [layer, r] : layers_) p.values += r.values, p.not_finite += r.not_finite;
        return p;
    }

    template <class A>
    axis_range range() const {
        if constexpr (A::letter == 'L') {
            index_t const first = layers_.begin()->first, end = layers_.rbegin()->first + 1;
            return {std::max(end, about_.layers), first, end};
        } else if constexpr (A::letter == 'B') {
            index_t first = *seen_.begin()->second.begin(), end = 0;
            for (auto const& [layer, sequences] : seen_)
                first = std::min(first, *sequences.begin()), end = std::max(end, *sequences.rbegin() + 1);
            return {end, first, end};
        } else {
            return {extents_.at(A::letter), 0, extents_.at(A::letter)};
        }
    }

    template <class View>
    void see(index_t layer, index_t sequence, View const& x) {
        mark(layer, sequence);
        layers_[layer].merge(rule_.reduce(sequence, x));
    }
    void mark(index_t layer, index_t sequence) {
        require(seen_[layer].insert(sequence).second, Rule::name, " at ", Site::name, ": layer ", layer, ", sequence ", sequence,
                " was seen already");
    }
    void extend(char letter, index_t n) {
        index_t& mine = extents_[letter];
        mine = std::max(mine, n);
    }

    Rule rule_;
    looked_at about_;
    index_t first_;
    std::map<index_t, reducer> layers_;
    std::map<index_t, std::set<index_t>> seen_;   // sequences, by layer
    std::map<index_t, index_t> next_;             // sequence to come, by layer
    std::map<char, index_t> extents_;             // by letter of an axis
};

}  // namespace attnlab
