#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <attnlab/analysis/hidden_scores.hpp>
#include <attnlab/analysis/outliers/mean_ratio.hpp>
#include <attnlab/analysis/views/pooled_map.hpp>
#include <attnlab/observe/any_observer.hpp>

namespace attnlab {

/// An entry of a hidden state.
struct entry {
    index_t token = 0, channel = 0;
    double value = 0;
};

/// What is kept of a site of rows, (B,T,C) or (B,T,F), layer by layer: scores, activation outliers by the paper's rule, the
/// largest entries, and a small map. No layer's tensor.
template <class Site>
class rows_survey {
public:
    static constexpr std::size_t map_down = 96, map_across = 192;  ///< cells of a map at most

    struct layer {
        hidden_scores first, rest;                         ///< of the first sequence, of the others
        std::vector<entry> largest;                        ///< the three largest |x| of the first sequence, largest first
        std::vector<std::array<index_t, 2>> top_channels;  ///< of each sequence, by max over tokens of |x|, largest first
        pooled_map map;                                    ///< of the first sequence

        hidden_scores all() const {
            auto sum = first;
            sum.merge(rest);
            return sum;
        }
        /// Of how many sequences, as a share, the two channels (in any order) are those of the first.
        double same_channels() const {
            auto const set = [](std::array<index_t, 2> c) { return std::minmax(c[0], c[1]); };
            auto const same = std::count_if(top_channels.begin(), top_channels.end(),
                                            [&](auto const& c) { return set(c) == set(top_channels[0]); });
            return static_cast<double>(same) / static_cast<double>(top_channels.size());
        }
    };

    explicit rows_survey(mean_ratio rule = {}, looked_at about = {}) : rule_(rule), finder_(rule, std::move(about)) {}

    void see(seen_site const& x) {
        view<float const, 3> const values(x.values.data(), {x.shape.at(0), x.shape.at(1), x.shape.at(2)});
        finder_(Site{}, x.layer, values);
        for (index_t b = 0; b < values.shape(0); ++b) add(layers_[x.layer], values[b]);
    }

    bool empty() const { return layers_.empty(); }
    bool has(index_t l) const { return layers_.count(l) != 0; }
    layer const& at(index_t l) const { return layers_.at(l); }
    std::map<index_t, layer> const& layers() const { return layers_; }
    /// Over all sequences. \throws error when nothing was seen
    auto outliers() const { return finder_.set(); }
    /// What |x| of the first sequence has to pass in a layer.
    double threshold(index_t l) const { return rule_.factor * at(l).first.mean_abs(); }
    double factor() const { return rule_.factor; }

private:
    static void add(layer& l, view<float const, 2> h) {
        bool const first = l.top_channels.empty();
        (first ? l.first : l.rest).add(h);
        std::vector<double> peaks(static_cast<std::size_t>(h.shape(1)), 0.);
        auto const larger = [](entry const& a, entry const& b) { return std::abs(a.value) > std::abs(b.value); };
        each_finite(h, [&](index_t t, index_t c, double x) {
            peaks[static_cast<std::size_t>(c)] = std::max(peaks[static_cast<std::size_t>(c)], std::abs(x));
            if (!first || (l.largest.size() == 3 && std::abs(x) <= std::abs(l.largest.back().value))) return;
            entry const e{t, c, x};
            l.largest.insert(std::upper_bound(l.largest.begin(), l.largest.end(), e, larger), e);
            if (l.largest.size() > 3) l.largest.pop_back();
        });
        if (l.largest.empty()) l.largest.push_back({0, 0, std::nan("")});  // no number at all: a broken model is shown as it is
        std::array<index_t, 2> top{0, 0};
        for (std::size_t rank = 0; rank < 2 && rank < peaks.size(); ++rank) {
            auto const at = std::max_element(peaks.begin(), peaks.end());
            top[rank] = at - peaks.begin();
            *at = -1;
        }
        l.top_channels.push_back(top);
        if (first) l.map = pooled_map(h, map_down, map_across);
    }

    mean_ratio rule_;
    outlier_finder<float, mean_ratio, Site> finder_;
    std::map<index_t, layer> layers_;
};

/// Layers l, l+1, ... that share their two largest channels, in any order.
struct channel_run {
    std::array<index_t, 2> channels;  ///< ascending
    index_t from, to;                 ///< both included
};
template <class Site>
std::vector<channel_run> channel_runs(rows_survey<Site> const& s) {
    std::vector<channel_run> out;
    for (auto const& [l, seen] : s.layers()) {
        auto const [low, high] = std::minmax(seen.top_channels[0][0], seen.top_channels[0][1]);
        std::array<index_t, 2> const channels{low, high};
        if (!out.empty() && out.back().channels == channels && out.back().to + 1 == l)
            out.back().to = l;
        else
            out.push_back({channels, l, l});
    }
    return out;
}

}  // namespace attnlab
