#pragma once
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/find.hpp>
#include <attnlab/analysis/selection.hpp>
#include <attnlab/analysis/scores.hpp>

namespace attnlab {

/// The users' rule (p-e-w/heretic#154): |h - median| > `factor` * MAD of the layer's tensor; few channels in the layer; the
/// channel persists over the layers of a sequence. That pull request takes the median and the MAD of magnitudes rather than of
/// values, and demands |h| > 100 besides: parameters.
struct robust {
    static constexpr std::string_view name = "robust";
    static constexpr bool reads(site_kind k) { return k == site_kind::rows; }
    template <class Site>
    using axes = token_axes<Site>;

    double factor = 1000;
    double above = 0;             ///< |h| must pass it
    bool of_magnitudes = false;   ///< median and MAD of |h|
    double layers_share = 0.25;   ///< least share of the layers in which the channel passes, in the same sequence
    index_t most_channels = 3;    ///< a layer in which more channels pass has none in that sequence

    rule_parameters parameters() const {
        return {{"factor", factor},
                {"above", above},
                {"of_magnitudes", of_magnitudes},
                {"layers_share", layers_share},
                {"most_channels", most_channels}};
    }

    using reducer = candidates<3>;   // (sequence, token, channel)

    template <class T>
    reducer reduce(index_t sequence, view<T const, 2> h) const {
        reducer r;
        std::vector<double> values;
        values.reserve(static_cast<std::size_t>(h.size()));
        r.see(h, [&](index_t, index_t, double x) { values.push_back(seen(x)); });
        double const median = lower_median(values);
        for (double& x : values) x = std::abs(x - median);
        double const limit = factor * lower_median(values);
        if (!(limit > 0)) return r;   // more than half of the values are one number: there is no scale to measure by
        std::set<index_t> channels;
        each_finite(h, [&](index_t t, index_t c, double x) {
            if (!(std::abs(seen(x) - median) > limit && std::abs(x) > above)) return;
            r.add({sequence, t, c}, x);
            channels.insert(c);
        });
        if (static_cast<index_t>(channels.size()) > most_channels) r.found.clear();
        return r;
    }

    void decide(std::map<index_t, reducer> const& layers, auto&& found) const {
        std::map<std::pair<index_t, index_t>, std::set<index_t>> passes;   // layers, by (sequence, channel)
        for (auto const& [layer, r] : layers)
            for (auto const& c : r.found) passes[{c.at[0], c.at[2]}].insert(layer);
        double const least = layers_share * static_cast<double>(layers.size());
        for (auto const& [layer, r] : layers)
            for (auto const& c : r.found)
                if (static_cast<double>(passes[{c.at[0], c.at[2]}].size()) >= least)
                    found({c.at[0], layer, c.at[1], c.at[2]}, c.value);
    }

private:
    double seen(double x) const { return of_magnitudes ? std::abs(x) : x; }
};

}  // namespace attnlab
