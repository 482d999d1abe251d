#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/token_types.hpp>
#include <attnlab/analysis/views/survey.hpp>
#include <attnlab/analysis/views/weight_survey.hpp>
#include <attnlab/io/figure.hpp>

/// \file
/// Where outliers are: the figures of layers, channels, heads, tokens and weights (2502.06415, figures 3 to 6).

namespace attnlab {
namespace detail {

inline curve points_by_layer(std::string label, std::size_t colour, draw style = draw::line_points) {
    curve c;
    c.label = std::move(label), c.colour = colour, c.style = style;
    return c;
}
inline void add_layer(curve& c, index_t layer, double y) { c.x.push_back(static_cast<double>(layer)), c.y.push_back(y); }

/// The decades that hold every value above zero.
inline std::optional<shown_range> decades_of(std::vector<curve> const& curves) {
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (auto const& c : curves)
        for (double y : c.y)
            if (y > 0 && std::isfinite(y)) low = std::min(low, y), high = std::max(high, y);
    if (low > high) return {};
    double const bottom = std::floor(std::log10(low));
    return shown_range{std::pow(10, bottom), std::pow(10, std::max(bottom + 1, std::ceil(std::log10(high))))};
}

inline panel layer_panel(std::string title, std::string y, bool log = false) {
    panel p;
    p.title = std::move(title), p.x.label = "layer", p.y.label = std::move(y), p.y.log = log;
    return p;
}

template <class Site>
panel magnitude_panel(rows_survey<Site> const& s, std::string title) {
    auto p = layer_panel(std::move(title), "|x|", true);
    char const* const names[] = {"largest", "second", "third", "median"};
    for (int rank = 0; rank < 4; ++rank) {
        auto c = points_by_layer(names[rank], static_cast<std::size_t>(rank));
        for (auto const& [l, seen] : s.layers()) {
            auto const all = seen.all();
            add_layer(c, l, rank < 3 ? all.top(rank) : all.median());
        }
        p.curves.push_back(std::move(c));
    }
    p.y.range = decades_of(p.curves);
    return p;
}

template <class Site>
panel channel_panel(rows_survey<Site> const& s, std::string title, std::string what) {
    auto p = layer_panel(std::move(title), std::move(what));
    for (std::size_t rank = 0; rank < 2; ++rank) {
        auto c = points_by_layer(rank == 0 ? "largest" : "second", rank, draw::points);
        for (auto const& [l, seen] : s.layers()) add_layer(c, l, static_cast<double>(seen.top_channels[0][rank]));
        p.curves.push_back(std::move(c));
    }
    if (!s.empty()) p.y.range = shown_range{0, static_cast<double>(std::max<index_t>(1, s.layers().begin()->second.map.columns))};
    return p;
}

}  // namespace detail

/// Largest three and median |x| by layer, means over sequences.
inline figure position_magnitudes(survey const& s) {
    figure f;
    f.shared_axes = false;
    f.panels = {detail::magnitude_panel(s.layer_out(), "layer output")};
    if (!s.down_in().empty()) f.panels.push_back(detail::magnitude_panel(s.down_in(), "input of the down projection"));
    f.columns = f.panels.size();
    f.aspect = f.columns == 1 ? 0.45 : 0.75;
    return f;
}

/// The two channels with the largest |x|, by layer: a channel that stays is a level row of points.
inline figure position_channels(survey const& s) {
    figure f;
    f.shared_axes = false;
    f.panels = {detail::channel_panel(s.layer_out(), "layer output", "channel")};
    if (!s.down_in().empty()) f.panels.push_back(detail::channel_panel(s.down_in(), "input of the down projection", "neuron"));
    f.columns = f.panels.size();
    f.aspect = f.columns == 1 ? 0.45 : 0.75;
    return f;
}

/// Share of each head's attention that goes to `keys`, mean over the heads of a layer with a bar from the least to the most; and
/// the largest column sums.
inline figure position_attention(attention_survey const& s, std::vector<index_t> const& keys) {
    figure f;
    f.shared_axes = false;
    f.columns = 2;
    f.aspect = 0.75;
    auto shares = detail::layer_panel("attention that the keys receive", "share of a head's attention");
    auto mean = detail::points_by_layer("mean of heads", 0), band = detail::points_by_layer("", 0);
    for (auto const& [l, seen] : s.layers()) {
        auto const of = attention_survey::shares_of(seen.sums, keys);
        detail::add_layer(mean, l, of.mean);
        mean.low.push_back(of.low), mean.high.push_back(of.high);
    }
    mean.label = "mean of heads (bars: least and most)";
    mean.bars = true;
    shares.y.range = {0, 1};
    shares.curves = {std::move(mean)};
    auto sums = detail::layer_panel("column sums of the mean over heads", "sum over queries", true);
    char const* const names[] = {"largest", "second", "median"};
    for (int rank = 0; rank < 3; ++rank) {
        auto c = detail::points_by_layer(names[rank], static_cast<std::size_t>(rank == 2 ? 3 : rank + 1));
        for (auto const& [l, seen] : s.layers())
            detail::add_layer(c, l, rank == 0 ? seen.top1.mean() : rank == 1 ? seen.top2.mean() : seen.median.mean());
        sums.curves.push_back(std::move(c));
    }
    sums.y.range = detail::decades_of(sums.curves);
    auto const T = static_cast<double>(s.layers().begin()->second.sums.shape(1));
    sums.references = {{s.rule().share * T, "attention outliers above"}};
    f.panels = {std::move(shares), std::move(sums)};
    return f;
}

/// Types of the tokens that are outliers in any layer, over all sequences, as shares.
inline figure position_token_types(token_type_counts const& activation, token_type_counts const& attention) {
    figure f;
    f.aspect = 0.4;
    panel p;
    p.y.label = "share of the outlier tokens";
    p.y.range = {0, 1};
    p.x.names = {"first token", "strong delimiter", "weak word", "other"};
    std::size_t colour = 0;
    for (auto const& [label, counts] :
         {std::pair{"activation outliers", &activation}, std::pair{"attention outliers", &attention}}) {
        bars b;
        b.label = label;
        b.colours = {colour++};
        for (auto n : counts->of)
            b.values.push_back(counts->total() > 0 ? static_cast<double>(n) / static_cast<double>(counts->total()) : 0);
        p.groups.push_back(std::move(b));
    }
    f.panels = {std::move(p)};
    return f;
}

/// Ratio of largest to mean |W|: columns of the down projection, and every matrix; and the columns themselves.
inline figure position_weights(weight_survey const& w) {
    figure f;
    f.shared_axes = false;
    f.aspect = 0.75;
    if (!w.down.empty()) {
        auto columns = detail::layer_panel("columns of " + w.down_matrix, "largest / mean |W|", true);
        auto largest = detail::points_by_layer("largest", 0), median = detail::points_by_layer("median", 3);
        auto neurons = detail::layer_panel("the three columns that stand out most", "column (neuron)");
        std::vector<curve> top;
        for (std::size_t k = 0; k < w.down[0].top.size(); ++k)
            top.push_back(detail::points_by_layer(k == 0 ? "largest" : k == 1 ? "second" : "third", k, draw::points));
        for (std::size_t l = 0; l < w.down.size(); ++l) {
            detail::add_layer(largest, static_cast<index_t>(l), w.down[l].largest);
            detail::add_layer(median, static_cast<index_t>(l), w.down[l].median);
            for (std::size_t k = 0; k < top.size(); ++k)
                detail::add_layer(top[k], static_cast<index_t>(l), static_cast<double>(w.down[l].top[k]));
        }
        columns.curves = {std::move(largest), std::move(median)};
        columns.y.range = detail::decades_of(columns.curves);
        neurons.curves = std::move(top);
        f.panels = {std::move(columns), std::move(neurons)};
    }
    f.columns = std::max<std::size_t>(1, f.panels.size());
    return f;
}

/// The same ratio for every matrix of a block: a curve each; of more than seven, those that stand out most.
inline figure position_modules(weight_survey const& w) {
    figure f;
    f.aspect = 0.5;
    auto p = detail::layer_panel("", "largest / mean |W| of a row or column", true);
    std::vector<std::size_t> order(w.modules.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    auto const peak = [&](std::size_t m) { return *std::max_element(w.ratios[m].begin(), w.ratios[m].end()); };
    if (order.size() > 7) {
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return peak(a) > peak(b); });
        order.resize(7);
        std::sort(order.begin(), order.end());
    }
    for (std::size_t k = 0; k < order.size(); ++k) {
        auto c = detail::points_by_layer(w.modules[order[k]], k);
        for (std::size_t l = 0; l < w.ratios[order[k]].size(); ++l)
            detail::add_layer(c, static_cast<index_t>(l), w.ratios[order[k]][l]);
        p.curves.push_back(std::move(c));
    }
    auto mean = detail::points_by_layer("mean of all", 6, draw::line);
    mean.dashed = true;
    for (std::size_t l = 0; l < w.mean_of_modules.size(); ++l)
        detail::add_layer(mean, static_cast<index_t>(l), w.mean_of_modules[l]);
    if (order.size() == 7) mean.colour = 7;
    p.curves.push_back(std::move(mean));
    p.y.range = detail::decades_of(p.curves);
    f.panels = {std::move(p)};
    return f;
}

}  // namespace attnlab
