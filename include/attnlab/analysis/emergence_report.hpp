#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <attnlab/analysis/curve_figures.hpp>
#include <attnlab/analysis/emergence.hpp>
#include <attnlab/analysis/format.hpp>
#include <attnlab/io/figure.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// The report's section on emergence: each head's sink share and each layer's residual peak by step, and the steps at which they appear.

namespace attnlab {

namespace detail {

/// A panel of a grid of policies, by training step, with a line for each place that `key` tells apart.
template <class Key>
panel emergence_panel(drawn_policy const& p, std::string const& metric, double threshold, Key key) {
    panel out;
    out.title = p.label;
    out.x.label = "training step";
    out.references = {{threshold, ""}};
    std::map<decltype(key(*p.rows.begin())), std::map<index_t, std::vector<double>>> lines;
    for (auto const& r : p.rows)
        if (r.metric == metric) lines[key(r)][r.step].push_back(r.value);
    double last = 0;
    for (auto const& [place, by_step] : lines) {
        curve c;
        index_t const layer = std::get<0>(place);
        c.label = "layer " + std::to_string(layer);
        c.colour = static_cast<std::size_t>(layer);
        for (auto const& [step, values] : by_step) add_point(c, static_cast<double>(step), estimate_of(values));
        if (c.low == c.high) c.low.clear(), c.high.clear();   // one seed: no band
        last = std::max(last, c.x.back());
        out.curves.push_back(std::move(c));
    }
    if (last > 0) out.x.range = {0, 1.1 * last};   // room between the last number of a panel and the first of the next
    return out;
}

/// "150 – 475": the steps of some rows, in order.
inline std::string steps_text(results const& rows) {
    std::vector<std::string> steps;
    for (auto const& r : rows) steps.push_back(std::isnan(r.value) ? absent : number(r.value));
    return steps.empty() ? absent : joined(steps, " ");
}
inline bool any_step(results const& rows) {
    return std::any_of(rows.begin(), rows.end(), [](auto const& r) { return !std::isnan(r.value); });
}

}  // namespace detail

/// Sink share by step: a panel a policy, a line for every head of every seed, a colour a layer.
inline figure emergence_sink_figure(std::vector<drawn_policy> const& policies) {
    figure f;
    f.columns = detail::panel_columns(policies.size());
    for (auto const& p : policies) {
        f.panels.push_back(detail::emergence_panel(p, "sink_share", sink_threshold, [](result const& r) { return std::tuple(r.layer, r.seed, r.head); }));
        f.panels.back().y.label = "sink share";
        f.panels.back().y.range = {0, 1};
    }
    return f;
}

/// Residual peak by step: a panel a policy, a line a layer.
inline figure emergence_peak_figure(std::vector<drawn_policy> const& policies) {
    figure f;
    f.columns = detail::panel_columns(policies.size());
    for (auto const& p : policies) {
        f.panels.push_back(detail::emergence_panel(p, "residual_peak", peak_threshold, [](result const& r) { return std::tuple(r.layer); }));
        f.panels.back().y.label = "residual peak";
    }
    return f;
}

/// For every layer with a sink or a residual peak, the step from which each head is a sink, seed by seed, and the steps from which the
/// seeds have the layer's peak. Without rows when no run was looked at.
inline table emergence_table(manifest const& m, results const& all, std::vector<policy_summary> const& policies) {
    table t{"", {"attention", "layer"}, {}, {align::left, align::left}};
    for (int seed : m.seeds) t.header.push_back("sinks, seed " + std::to_string(seed));
    t.header.push_back("residual peak, by seed");
    for (auto const& p : policies) {
        auto const sinks = all.filter({.policy = p.name, .metric = "steps_to_sink"}), peaks = all.filter({.policy = p.name, .metric = "steps_to_peak"});
        if (sinks.empty() && peaks.empty()) continue;
        auto const before = t.rows.size();
        for (index_t layer : sinks.distinct(&result::layer)) {
            auto const heads = sinks.filter({.layer = layer}), peak = peaks.filter({.layer = layer});
            if (!detail::any_step(heads) && !detail::any_step(peak)) continue;
            std::vector<std::string> cells{p.label, std::to_string(layer)};
            for (int seed : m.seeds) cells.push_back(detail::steps_text(heads.filter({.seed = seed})));
            cells.push_back(detail::steps_text(peak));
            t.add(std::move(cells));
        }
        if (t.rows.size() > before) continue;
        std::vector<std::string> nothing(t.header.size(), absent);
        nothing[0] = p.label, nothing[1] = "all";
        t.add(std::move(nothing));
    }
    return t;
}

/// What the table and its figures say, in words.
inline std::string emergence_text() {
    return "Looked at while training, on a few fixed sequences. Steps from which a head's sink share (the mean weight of all queries on the first key) stays above " +
           cell(sink_threshold) + ", head by head, and from which the residual peak of the stream that enters a layer (|h_0| over the other tokens' mean |h_t|) stays above " + cell(peak_threshold) +
           " (ours); " + absent + ": never. Layers without either are left out. A head has no counterpart in another seed, so heads are not averaged.";
}

}  // namespace attnlab
