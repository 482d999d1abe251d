#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/curve_figures.hpp>
#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/interventions/scale_obstacle.hpp>
#include <attnlab/analysis/scale_findings.hpp>
#include <attnlab/analysis/summary.hpp>
#include <attnlab/io/table.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// The report's panel on the central claim of 2502.06415: are outliers implicit context-aware scaling factors?

namespace attnlab {
namespace detail {

/// Policies by whether a sink of theirs could be read as a scale, as their rows say.
inline std::vector<policy_summary> measured_scales(results const& all, std::vector<policy_summary> const& policies) {
    std::vector<policy_summary> out;
    for (auto const& p : policies)
        if (auto const o = all.last(p.name, {"sink_scale.obstacle"}); o.count > 0 && o.max == 0) out.push_back(p);
    return out;
}

/// A head's number at the end of training, by seed, layer and head.
using head_values = std::map<std::array<index_t, 3>, double>;
inline head_values of_heads(results const& all, std::string const& policy, std::string const& metric) {
    head_values out;
    for (auto const& r : all.filter({.policy = policy, .metric = "sink_scale." + metric}))
        if (r.head != whole) out[{r.seed, r.layer, r.head}] = r.value;   // rows come in order of steps
    return out;
}

/// Over seeds: the mean over heads of those numbers that `keep(mean of S)` takes.
template <class Keep>
estimate over_heads(results const& all, std::string const& policy, std::string const& metric, Keep keep) {
    auto const values = of_heads(all, policy, metric), scales = of_heads(all, policy, "mean");
    std::map<index_t, running_mean> seeds;
    for (auto const& [at, value] : values)
        if (auto const s = scales.find(at); s != scales.end() && keep(s->second)) seeds[at[0]].add(value);
    std::vector<double> means;
    for (auto const& [seed, m] : seeds) means.push_back(m.mean());
    return estimate_of(std::move(means));
}
inline bool is_sink_scale(double s) { return 1 - s > sink_threshold; }
inline bool is_dormant_scale(double s) { return 1 - s > dormant_threshold; }

}  // namespace detail

/// Measures down, policies across: means over seeds with their 95 % intervals. Without rows when nothing was measured.
inline table scale_table(manifest const& m, results const& all, std::vector<policy_summary> const& policies) {
    table t{"", {"sink heads as scales"}};
    auto const shown = detail::measured_scales(all, policies);
    for (auto const& p : shown) t.header.push_back(p.label);
    if (shown.empty()) return t;
    auto const line = [&](std::string const& name, int decimals, auto value) {
        std::vector<std::string> cells = {name};
        for (auto const& p : shown) {
            estimate const e = value(p.name);
            cells.push_back(mean_and_interval(e, e.empty() ? 0 : m.seeds.size(), decimals));
        }
        t.add(std::move(cells));
    };
    auto const whole_model = [&](char const* metric) {
        return [&all, at = measure_at{std::string("sink_scale.") + metric}](std::string const& policy) { return all.last(policy, at); };
    };
    auto const heads = [&](char const* metric, auto keep) {
        return [&all, metric, keep](std::string const& policy) { return detail::over_heads(all, policy, metric, keep); };
    };
    line("sink heads", 0, whole_model("sinks"));
    line("mean of S", 0, heads("mean", detail::is_sink_scale));
    line("variance of S over queries", 3, heads("variance", detail::is_sink_scale));
    line("|a v_sink| / |o|", 3, heads("sink_part", detail::is_sink_scale));
    line("(i) v_sink zero: change of loss, nats", 4, whole_model("zero_value"));
    line("(ii) S at its mean: change of loss", 4, whole_model("mean_scale"));
    line("(iii) constant k', v': change of loss", 4, whole_model("constant_sink"));
    line("correlation with the gates of (e)", 2, whole_model("correlation"));
    line("... sequences in another order", 2, whole_model("correlation.chance"));
    line("excess risk of a dormant head", 4, heads("excess_risk", detail::is_dormant_scale));
    line("excess risk of any other head", 4, heads("excess_risk", [](double s) { return !detail::is_dormant_scale(s); }));
    return t;
}

/// The sink heads of the first seed, one by one.
inline table scale_heads_table(results const& all, std::vector<policy_summary> const& policies) {
    table t{"", {"policy", "layer", "head", "mean of S", "variance", "5 % of S below", "median", "95 % below", "|a v_sink| / |o|", "excess risk, nats"}};
    for (auto const& p : detail::measured_scales(all, policies)) {
        auto const means = detail::of_heads(all, p.name, "mean");
        std::vector<detail::head_values> others;
        for (auto const* metric : {"variance", "p5", "p50", "p95", "sink_part", "excess_risk"}) others.push_back(detail::of_heads(all, p.name, metric));
        for (auto const& [at, mean] : means) {
            if (at[0] != means.begin()->first[0] || !detail::is_sink_scale(mean)) continue;
            std::vector<std::string> cells = {p.label, std::to_string(at[1]), std::to_string(at[2]), number(mean, 3)};
            for (auto const& values : others) cells.push_back(values.contains(at) ? number(values.at(at), &values == &others.back() ? 4 : 3) : absent);
            t.add(std::move(cells));
        }
    }
    return t;
}

/// What held of the claim, policy by policy, and of which it was not asked, and why.
inline std::string scale_text(results const& all, std::vector<policy_summary> const& policies) {
    std::string out;
    std::map<scale_obstacle, std::vector<std::string>> refused;
    for (auto const& p : policies) {
        auto const o = all.last(p.name, {"sink_scale.obstacle"});
        if (o.count == 0) continue;
        if (o.max > 0) refused[static_cast<scale_obstacle>(static_cast<int>(o.max))].push_back(p.label);
        else out += scale_finding(all, p) + " ";
    }
    for (auto const& [o, labels] : refused) out += "Not asked of " + listed(labels) + (labels.size() > 1 ? "; of each: " : ": ") + std::string(words(o)) + ". ";
    return out;
}

/// The distribution of S of every head in the first seed, a panel a policy, a colour a layer: how large S is (up) for which share of the
/// queries (across). A flat line is a constant scale, a step a switch. Nothing where no policy was measured.
inline std::optional<figure> scale_figure(results const& all, std::vector<policy_summary> const& policies) {
    figure f;
    f.aspect = 0.8;
    for (auto const& p : detail::measured_scales(all, policies)) {
        panel out;
        out.title = p.label;
        out.x = {.label = "share of queries", .range = shown_range{0, 1}};
        out.y = {.label = "S = 1 - P[i, 0]", .range = shown_range{0, 1}};
        std::map<std::array<index_t, 3>, curve> curves;
        for (int percent : scale_percentiles)
            for (auto const& [at, value] : detail::of_heads(all, p.name, "p" + std::to_string(percent))) {
                auto& c = curves[at];
                c.label = "layer " + std::to_string(at[1]), c.colour = static_cast<std::size_t>(at[1]);
                c.x.push_back(percent / 100.0), c.y.push_back(value);
            }
        for (auto& [at, c] : curves)
            if (at[0] == curves.begin()->first[0]) out.curves.push_back(std::move(c));
        if (!out.curves.empty()) f.panels.push_back(std::move(out));
    }
    if (f.panels.empty()) return {};
    f.columns = detail::panel_columns(f.panels.size());
    return f;
}

}  // namespace attnlab
