#pragma once
#include <algorithm>
#include <cmath>
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

/// Sink share by step: a panel a policy, a line for every head of every seed, a colour a layer.
inline figure emergence_sink_figure(std::vector<drawn_policy> const& policies) {
    figure f;
    f.columns = detail::panel_columns(policies.size());
    for (auto const& p : policies) {
        panel out;
        out.title = p.label;
        out.x.label = "training step";
        out.y.label = "sink share";
        out.y.range = {0, 1};
        out.references = {{sink_threshold, ""}};
        std::map<std::tuple<index_t, int, index_t>, curve> heads;   // layer, seed, head
        for (auto const& r : p.rows) {
            if (r.metric != "sink_share") continue;
            auto& c = heads[{r.layer, r.seed, r.head}];
            c.label = "layer " + std::to_string(r.layer);
            c.colour = static_cast<std::size_t>(r.layer);
            c.x.push_back(static_cast<double>(r.step)), c.y.push_back(r.value);
        }
        for (auto& [place, c] : heads) out.curves.push_back(std::move(c));
        f.panels.push_back(std::move(out));
    }
    return f;
}

/// Residual peak by step: a panel a policy, a line a layer.
inline figure emergence_peak_figure(std::vector<drawn_policy> const& policies) {
    figure f;
    f.columns = detail::panel_columns(policies.size());
    for (auto const& p : policies) {
        panel out;
        out.title = p.label;
        out.x.label = "training step";
        out.y.label = "residual peak";
        out.references = {{peak_threshold, ""}};
        drawn_policy const mine{p.name, p.label, p.colour, p.rows.filter({.metric = "residual_peak"})};
        for (index_t layer : mine.rows.distinct(&result::layer)) {
            auto c = detail::over_training(mine, {"residual_peak", layer});
            c.label = "layer " + std::to_string(layer);
            c.colour = static_cast<std::size_t>(layer);
            out.curves.push_back(std::move(c));
        }
        f.panels.push_back(std::move(out));
    }
    return f;
}

/// For every layer with a sink or a residual peak, the step from which each head is a sink, seed by seed, and the step from which the
/// layer has its peak. Without rows when no run was looked at.
inline table emergence_table(manifest const& m, results const& all, std::vector<policy_summary> const& policies) {
    table t{"", {"attention", "layer"}, {}, {align::left, align::left}};
    for (int seed : m.seeds) t.header.push_back("sinks, seed " + std::to_string(seed));
    t.header.push_back("residual peak");
    for (auto const& p : policies) {
        auto const sinks = all.filter({.policy = p.name, .metric = "steps_to_sink"}), peaks = all.filter({.policy = p.name, .metric = "steps_to_peak"});
        if (sinks.empty() && peaks.empty()) continue;
        bool any = false;
        for (index_t layer : sinks.distinct(&result::layer)) {
            std::vector<std::string> cells{p.label, std::to_string(layer)};
            bool emerged = false;
            for (int seed : m.seeds) {
                std::vector<std::string> steps;
                for (auto const& r : sinks.filter({.seed = seed, .layer = layer})) {
                    steps.push_back(std::isnan(r.value) ? absent : number(r.value));
                    emerged = emerged || !std::isnan(r.value);
                }
                cells.push_back(steps.empty() ? absent : joined(steps, " "));
            }
            auto const peak = peaks.last(p.name, {"steps_to_peak", layer});
            cells.push_back(peak.count == 0 ? absent : mean_and_interval(peak, m.seeds.size()));
            if (!emerged && peak.count == 0) continue;
            any = true;
            t.add(std::move(cells));
        }
        std::vector<std::string> nothing(t.header.size(), absent);
        nothing[0] = p.label, nothing[1] = "all";
        if (!any) t.add(std::move(nothing));
    }
    return t;
}

/// What the table and its figures say, in words.
inline std::string emergence_text() {
    return "Looked at on one fixed batch while training. Steps from which a head's sink share (the mean weight of all queries on the first key) stays above " +
           cell(sink_threshold) + ", head by head, and from which the residual peak of the stream that enters a layer (|h_0| over the other tokens' mean |h_t|) stays above " + cell(peak_threshold) +
           " (ours); " + absent + ": never. Layers without either are left out. A head has no counterpart in another seed, so heads are not averaged.";
}

}  // namespace attnlab
