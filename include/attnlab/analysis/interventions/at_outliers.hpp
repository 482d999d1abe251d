#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/analysis/interventions/change.hpp>
#include <attnlab/analysis/outliers/outlier_set.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/observe/observer.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// Interventions at coordinates that were found.

namespace attnlab {

namespace detail {

/// Mean of the values of a set's outliers that differ in sequence and position alone, those at position 0 apart.
template <class... Axes>
class means_of_outliers {
    using set = outlier_set<Axes...>;

public:
    explicit means_of_outliers(set const& s) {
        for (auto const& e : s) means_[key(e.at)].add(e.value);
    }
    double of(typename set::coordinate const& at) const { return means_.at(key(at)).mean(); }

private:
    static typename set::coordinate key(typename set::coordinate at) {
        for (std::size_t a = 0; a < at.size(); ++a) {
            if (set::axes::letters[a] == 'B') at[a] = 0;
            if (set::axes::positions[a]) at[a] = at[a] > 0;
        }
        return at;
    }
    std::map<typename set::coordinate, running_mean> means_;
};

/// Which axis of a set a letter is; the number of axes where it is none.
template <class... Axes>
constexpr std::size_t axis_of_letter(char letter) {
    constexpr auto letters = axis_list<Axes...>::letters;
    return static_cast<std::size_t>(std::find(letters.begin(), letters.end(), letter) - letters.begin());
}

}  // namespace detail

/// An observer that changes what stands at the coordinates of an outlier set, made by `at_outliers`. Axes that the set does not
/// have are taken whole: a set over (layer, channel) is changed at all tokens of all sequences. Sequences are numbered as they
/// come, as a finder numbers them.
template <class Site, class Change, class... Axes>
class intervention {
    using set = outlier_set<Axes...>;
    static constexpr std::size_t rank = (Site::axes.size() + 1) / 2;
    static constexpr bool fits = ((Axes::letter == 'L' || Site::axes.find(Axes::letter) != Site::axes.npos) && ...);
    static_assert(
        fits,
        "intervention: the set has an axis that this site does not have (rename<From, To>() where one thing has two names)");

public:
    using sites = site_list<>;
    using alters = site_list<Site>;

    intervention(set const& at, Change change) : set_(at), means_(at), change_(std::move(change)) {
        if constexpr (std::is_same_v<Change, change::to_mean>)
            require(at.about().site == Site::name, "intervention: to_mean at ", Site::name,
                    ": expected outliers of this site, got those of ", at.about().site);
    }

    /// \throws error for a coordinate that the tensor does not have
    template <class T>
    void operator()(Site, index_t layer, view<T, rank> x) {
        index_t& first = first_[layer];
        std::string const name = site::full_name<Site>(layer);
        for (auto const& e : set_) {
            if constexpr (layer_axis < sizeof...(Axes))
                if (e.at[layer_axis] != layer) continue;
            std::array<index_t, rank> begin{}, end = x.shape();
            bool here = true;
            for (std::size_t a = 0; a < rank; ++a) {
                if (axis_[a] == sizeof...(Axes)) continue;
                bool const sequence = Site::axes[2 * a] == 'B';
                index_t const i = e.at[axis_[a]] - (sequence ? first : 0);
                bool const inside = 0 <= i && i < x.shape(a);
                require(inside || sequence, "intervention at ", name, ": ", set::axes::names[axis_[a]], " ", i,
                        ": expected 0 to ", x.shape(a) - 1);
                here = here && inside;
                begin[a] = i, end[a] = i + 1;
            }
            if (here) change_box(x, begin, end, {name, x.shape(), 0, e.value, means_.of(e.at)});
        }
        first += x.shape(0);
    }

    /// How many numbers were changed so far: 0 says that the pass was as without.
    index_t changed() const { return changed_; }
    /// Sequences are numbered from 0 again: before another pass over the same text.
    void restart() { first_.clear(), changed_ = 0; }

private:
    template <class T>
    void change_box(view<T, rank> x, std::array<index_t, rank> const& begin, std::array<index_t, rank> const& end,
                    place_of_change at) {
        auto i = begin;
        for (std::size_t a = rank; a > 0;) {
            at.offset = 0;
            for (std::size_t b = 0; b < rank; ++b) at.offset = at.offset * x.shape(b) + i[b];
            T& number = x.data()[at.offset];
            number = static_cast<T>(change_(static_cast<double>(number), at));
            ++changed_;
            for (a = rank; a > 0 && ++i[a - 1] == end[a - 1]; --a) i[a - 1] = begin[a - 1];
        }
    }

    static constexpr std::size_t layer_axis = detail::axis_of_letter<Axes...>('L');
    static constexpr auto axis_ = [] {
        std::array<std::size_t, rank> out{};
        for (std::size_t a = 0; a < rank; ++a) out[a] = detail::axis_of_letter<Axes...>(Site::axes[2 * a]);
        return out;
    }();

    set set_;
    detail::means_of_outliers<Axes...> means_;
    Change change_;
    std::map<index_t, index_t> first_;  // number of the next sequence, by layer
    index_t changed_ = 0;
};

/// `auto cut = at_outliers<site::resid_post>(set, change::to_zero{}); model.loss(x, y, cut);`
template <class Site, class Change, class... Axes>
intervention<Site, Change, Axes...> at_outliers(outlier_set<Axes...> const& set, Change change) {
    return {set, std::move(change)};
}

}  // namespace attnlab
