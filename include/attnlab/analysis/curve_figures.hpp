#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/results.hpp>
#include <attnlab/analysis/summary.hpp>
#include <attnlab/io/figure.hpp>

/// \file
/// The figures of a report that are drawn from rows. Lines are means over seeds, bands reach from the lowest seed to the highest.

namespace attnlab {

/// A policy in figures: its rows, its label, its colour.
struct drawn_policy {
    std::string name, label;
    std::size_t colour;
    results rows;
};

/// The policies that have rows.
inline std::vector<drawn_policy> drawn_policies(results const& all, std::vector<policy_summary> const& policies) {
    std::vector<std::string> names;
    for (auto const& p : policies) names.push_back(p.name);
    std::vector<drawn_policy> out;
    for (auto const& p : policies)
        if (p.seeds > 0) out.push_back({p.name, p.label, policy_colour(p.name, names), all.filter({.policy = p.name})});
    return out;
}

namespace detail {

inline void add_point(curve& c, double x, estimate const& e) {
    c.x.push_back(x);
    c.y.push_back(e.mean);
    c.low.push_back(e.min);
    c.high.push_back(e.max);
}

/// A metric over training steps.
inline curve over_training(drawn_policy const& p, measure_at const& at) {
    curve c;
    c.label = p.label;
    c.colour = p.colour;
    for (auto const& [step, values] : p.rows.over_steps(p.name, at)) add_point(c, static_cast<double>(step), estimate_of(values));
    return c;
}

/// A metric over layers at the end of training.
inline curve over_depth(drawn_policy const& p, std::string const& metric, std::string label, std::size_t colour) {
    curve c;
    c.label = std::move(label);
    c.colour = colour;
    c.style = draw::line_points;
    auto layers = p.rows.filter({.metric = metric, .head = whole}).distinct(&result::layer);
    std::sort(layers.begin(), layers.end());
    for (index_t layer : layers)
        if (layer != whole) add_point(c, static_cast<double>(layer), p.rows.last(p.name, {metric, layer}));
    return c;
}

inline panel training_panel(std::vector<drawn_policy> const& policies, std::string title, measure_at const& at, bool log,
                            std::vector<reference_line> references) {
    panel out;
    out.title = std::move(title);
    out.x.label = "training step";
    out.y.log = log;
    out.references = std::move(references);
    for (auto const& p : policies) {
        auto c = over_training(p, at);
        if (!c.x.empty()) out.curves.push_back(std::move(c));
    }
    return out;
}

/// The decades that hold all curves, so that a log axis has a number at both ends.
inline std::optional<shown_range> decades(std::vector<panel> const& panels) {
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (auto const& p : panels)
        for (auto const& c : p.curves)
            for (double v : c.y)
                if (v > 0 && std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    if (low > high) return {};
    double const bottom = std::floor(std::log10(low));
    return shown_range{std::pow(10, bottom), std::pow(10, std::max(bottom + 1, std::ceil(std::log10(high))))};
}

inline std::size_t panel_columns(std::size_t panels) { return panels == 4 ? 2 : std::min<std::size_t>(3, panels); }

}  // namespace detail

/// Loss above the floor (log scale), or validation loss, over training.
inline figure loss_figure(manifest const& m, std::vector<drawn_policy> const& policies) {
    figure f;
    f.panels = {detail::training_panel(policies, "", {m.has_floor() ? "excess" : "loss"}, m.has_floor(), {})};
    f.panels[0].y.label = m.has_floor() ? "nats above the floor" : "validation loss, nats";
    f.aspect = 0.45;
    return f;
}

/// Four measures of sinks over training.
/// \param uniform  BOS mass of even attention, NaN where unknown
inline figure sink_figure(std::vector<drawn_policy> const& policies, double uniform) {
    std::vector<reference_line> even;
    if (uniform == uniform) even.push_back({uniform, "even attention"});
    figure f;
    f.columns = 2;
    f.shared_axes = false;
    f.panels = {detail::training_panel(policies, "BOS mass, layer 0", {"bos_mass", 0}, false, even),
                detail::training_panel(policies, "value ratio, layer 0", {"value_ratio", 0}, false, {{drain_threshold, "drained below"}}),
                detail::training_panel(policies, "sink-and-drain heads", {"sinks_and_drains"}, false, {}),
                detail::training_panel(policies, "kurtosis entering layer 0 (log)", {"resid_pre.kurtosis", 0}, true, {{3, "Gaussian"}})};
    return f;
}

/// Largest three and median magnitudes of each layer's output, a panel a policy (the layerwise figure of 2502.06415; log scale).
inline figure magnitude_figure(std::vector<drawn_policy> const& policies) {
    figure f;
    f.columns = detail::panel_columns(policies.size());
    for (auto const& p : policies) {
        panel out;
        out.title = p.label;
        out.x.label = "layer";
        out.y.label = "magnitude";
        out.y.log = true;
        std::size_t colour = 0;
        for (auto const& [metric, label] : {std::pair{"top1", "largest"}, {"top2", "second"}, {"top3", "third"}, {"median", "median"}})
            out.curves.push_back(detail::over_depth(p, std::string("resid_post.") + metric, label, colour++));
        f.panels.push_back(std::move(out));
    }
    auto const range = detail::decades(f.panels);
    for (auto& p : f.panels) p.y.range = range;
    return f;
}

/// Every head of every seed: BOS mass across, value ratio up; a panel a policy, a colour a layer. Sinks that drain lie in the lower
/// right corner.
inline figure drain_figure(std::vector<drawn_policy> const& policies) {
    figure f;
    f.aspect = 0.8;
    f.columns = detail::panel_columns(policies.size());
    for (auto const& p : policies) {
        panel out;
        out.title = p.label;
        out.x.label = "BOS mass";
        out.x.range = {0, 1};
        out.y.label = "value ratio";
        out.references = {{drain_threshold, ""}, {sink_threshold, "", true}};
        auto const heads = p.rows.filter({.metric = "bos_mass"});
        auto layers = heads.distinct(&result::layer);
        std::sort(layers.begin(), layers.end());
        for (index_t layer : layers) {
            if (layer == whole) continue;
            curve c;
            c.label = "layer " + std::to_string(layer);
            c.colour = static_cast<std::size_t>(layer);
            c.style = draw::points;
            for (index_t head : heads.filter({.layer = layer}).distinct(&result::head)) {
                if (head == whole) continue;
                auto const values = p.rows.last_by_seed(p.name, {"value_ratio", layer, head});
                for (auto const& [seed, mass] : p.rows.last_by_seed(p.name, {"bos_mass", layer, head}))
                    if (auto const value = values.find(seed); value != values.end()) c.x.push_back(mass), c.y.push_back(value->second);
            }
            if (!c.x.empty()) out.curves.push_back(std::move(c));
        }
        f.panels.push_back(std::move(out));
    }
    return f;
}

/// Kurtosis of the stream on its way through the model: into each layer, and out of the last.
inline figure kurtosis_figure(std::vector<drawn_policy> const& policies) {
    panel out;
    out.y.label = "kurtosis";
    out.y.log = true;
    out.references = {{3, "Gaussian"}};
    std::size_t depth = 0;
    for (auto const& p : policies) {
        auto c = detail::over_depth(p, "resid_pre.kurtosis", p.label, p.colour);
        auto const outputs = detail::over_depth(p, "resid_post.kurtosis", "", 0);
        if (!outputs.x.empty() && outputs.x.size() == c.x.size()) {
            c.x.push_back(outputs.x.back() + 1), c.y.push_back(outputs.y.back());
            c.low.push_back(outputs.low.back()), c.high.push_back(outputs.high.back());
        }
        depth = std::max(depth, c.x.size());
        if (!c.x.empty()) out.curves.push_back(std::move(c));
    }
    for (std::size_t l = 0; l + 1 < depth; ++l) out.x.names.push_back("into L" + std::to_string(l));
    if (depth > 0) out.x.names.push_back("out");
    figure f;
    f.aspect = 0.45;
    f.panels = {std::move(out)};
    return f;
}

}  // namespace attnlab
