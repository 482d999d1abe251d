#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/axes.hpp>
#include <attnlab/analysis/outliers/provenance.hpp>
#include <attnlab/core/error.hpp>

/// \file
/// A set of outliers: coordinates in a space, each with the value that made it one, and where they come from. Sets are changed by
/// making another: project, rename, shift, restrict. Which of them may be compared is a matter of type.

namespace attnlab {

/// One axis of the space a set lies in: indices [begin, end) of an axis with `extent` places. A shift moves the range, not the
/// extent.
struct axis_range {
    index_t extent = 0, begin = 0, end = 0;
    index_t size() const { return std::max<index_t>(0, end - begin); }
    bool contains(index_t i) const { return begin <= i && i < end; }
    bool operator==(axis_range const&) const = default;
};

template <class... Axes>
class outlier_set {
public:
    using axes = axis_list<Axes...>;
    using coordinate = typename axes::coordinate;
    using space = std::array<axis_range, axes::size>;
    struct element {
        coordinate at;
        double value;  ///< what the rule looked at there, signed where it has a sign
        bool operator==(element const&) const = default;
    };

    outlier_set() = default;
    /// \throws error when a coordinate lies outside the space
    outlier_set(std::vector<element> elements, space where, provenance about)
        : elements_(std::move(elements)), space_(where), about_(std::move(about)) {
        for (auto const& e : elements_)
            for (std::size_t a = 0; a < axes::size; ++a)
                if (!space_[a].contains(e.at[a]))
                    fail("outlier set of ", about_.rule, ": ", axes::names[a], " ", e.at[a], ": expected ", space_[a].begin,
                         " to ", space_[a].end - 1);
        // Of equal coordinates (after a projection) the largest value stays.
        std::sort(elements_.begin(), elements_.end(), [](element const& x, element const& y) {
            return std::pair(x.at, -std::abs(x.value)) < std::pair(y.at, -std::abs(y.value));
        });
        elements_.erase(
            std::unique(elements_.begin(), elements_.end(), [](element const& x, element const& y) { return x.at == y.at; }),
            elements_.end());
    }

    /// In ascending order of coordinates.
    std::vector<element> const& elements() const { return elements_; }
    auto begin() const { return elements_.begin(); }
    auto end() const { return elements_.end(); }
    std::size_t size() const { return elements_.size(); }
    bool empty() const { return elements_.empty(); }
    bool contains(coordinate const& at) const {
        auto const it = std::lower_bound(begin(), end(), at, [](element const& e, coordinate const& c) { return e.at < c; });
        return it != end() && it->at == at;
    }
    std::vector<coordinate> coordinates() const {
        std::vector<coordinate> out;
        for (auto const& e : elements_) out.push_back(e.at);
        return out;
    }

    provenance const& about() const { return about_; }
    space const& ranges() const { return space_; }
    template <class Axis>
    axis_range const& range() const {
        return space_[place<Axis>()];
    }
    /// Number of coordinates that could have been outliers.
    double space_size() const {
        double n = 1;
        for (auto const& r : space_) n *= static_cast<double>(r.size());
        return n;
    }

    /// The set with these axes alone, in this order: a coordinate is in it if any coordinate above it was.
    template <class... Kept>
    outlier_set<Kept...> project() const {
        static_assert((axes::template has<Kept> && ...),
                      "project: an axis that this set does not have (rename<From, To>() gives an axis another name)");
        std::array<std::size_t, sizeof...(Kept)> const from = {axes::template place<Kept>...};
        std::vector<typename outlier_set<Kept...>::element> kept;
        for (auto const& e : elements_) {
            auto& k = kept.emplace_back();
            for (std::size_t a = 0; a < from.size(); ++a) k.at[a] = e.at[from[a]];
            k.value = e.value;
        }
        std::array<axis_range, sizeof...(Kept)> where;
        for (std::size_t a = 0; a < from.size(); ++a) where[a] = space_[from[a]];
        return {std::move(kept), where, after("project(" + joined(axis_list<Kept...>::names, ",") + ")")};
    }

    /// The set with `From` counted as `To`: the rows of a down projection are channels of the stream, its columns are neurons,
    /// the keys of attention are tokens. Only the user can know that.
    template <class From, class To>
    auto rename() const {
        static_assert(axes::template has<From>, "rename: an axis that this set does not have");
        using out = outlier_set<std::conditional_t<std::is_same_v<Axes, From>, To, Axes>...>;
        std::vector<typename out::element> same;
        for (auto const& e : elements_) same.push_back({e.at, e.value});
        return out(std::move(same), space_, after(text("rename(", From::name, ",", To::name, ")")));
    }

    /// Every coordinate and the space moved by `by` along `Axis`: layer l of this set then stands where l + by of another one
    /// does.
    template <class Axis>
    outlier_set shift(index_t by) const {
        auto out = *this;
        for (auto& e : out.elements_) e.at[place<Axis>()] += by;
        auto& r = out.space_[place<Axis>()];
        r.begin += by, r.end += by;
        out.about_ = after(text("shift(", Axis::name, ",", by, ")"));
        return out;
    }

    /// What lies in [begin, end) of `Axis`, in that smaller space.
    template <class Axis>
    outlier_set restrict(index_t begin, index_t end) const {
        auto where = space_;
        auto& r = where[place<Axis>()];
        r.begin = std::max(r.begin, begin), r.end = std::max(r.begin, std::min(r.end, end));
        auto out = within(where);
        out.about_ = after(text("restrict(", Axis::name, ",", begin, ",", end, ")"));
        return out;
    }

    /// What lies in `where`, a space no larger than this one.
    outlier_set within(space const& where) const {
        auto out = *this;
        out.space_ = where;
        std::erase_if(out.elements_, [&](element const& e) {
            for (std::size_t a = 0; a < axes::size; ++a)
                if (!where[a].contains(e.at[a])) return true;
            return false;
        });
        return out;
    }

    /// Without position 0 of every axis that counts positions: all models look at their first token, which is evidence of nothing
    /// else.
    outlier_set without_first() const {
        auto where = space_;
        for (std::size_t a = 0; a < axes::size; ++a)
            if (axes::positions[a])
                where[a].begin = std::max<index_t>(1, where[a].begin), where[a].end = std::max(where[a].begin, where[a].end);
        auto out = within(where);
        out.about_ = after("without_first");
        return out;
    }

    /// Same coordinates, whatever the space, the values and the origin.
    bool operator==(outlier_set const& o) const { return coordinates() == o.coordinates(); }
    template <class... Others>
    bool operator==(outlier_set<Others...> const&) const {
        static_assert(std::is_same_v<axes, axis_list<Others...>>,
                      "outlier sets of different axes: project both to axes that they share (and rename<From, To>() "
                      "where one thing has two names)");
        return false;
    }

private:
    template <class Axis>
    static constexpr std::size_t place() {
        static_assert(axes::template has<Axis>, "outlier set: an axis that this set does not have");
        return axes::template place<Axis>;
    }
    provenance after(std::string step) const {
        auto out = about_;
        out.steps.push_back(std::move(step));
        return out;
    }

    std::vector<element> elements_;
    space space_{};
    provenance about_;
};

}  // namespace attnlab
