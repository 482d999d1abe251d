#pragma once
#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/metrics.hpp>
#include <attnlab/analysis/results.hpp>
#include <attnlab/io/observations.hpp>

/// \file
/// Emergence: the step at which a head becomes a sink and a layer gets a residual peak, from what was streamed while a run trained.

namespace attnlab {

/// The first step from which every value is above the threshold; NaN where the last is not.
inline double step_from_above(std::map<index_t, double> const& by_step, double threshold) {
    double from = std::numeric_limits<double>::quiet_NaN();
    for (auto at = by_step.rbegin(); at != by_step.rend() && at->second > threshold; ++at) from = static_cast<double>(at->first);
    return from;
}

/// Whether `add_emergence` makes rows of that name.
inline bool of_emergence(std::string_view metric) {
    return metric == "sink_share" || metric == "residual_peak" || metric == "steps_to_sink" || metric == "steps_to_peak";
}

/// Appends a run's curves (sink_share of each head, residual_peak of each layer, by step) and, at `step`, the steps from which they stay
/// above sink_threshold and peak_threshold.
inline void add_emergence(results& rows, std::string const& policy, int seed, index_t step, std::vector<observation> const& seen) {
    using place = std::pair<index_t, index_t>;                             // layer, head
    std::map<place, std::map<index_t, double>> sinks, peaks;               // by step
    index_t layers = 0;
    for (auto const& o : seen) layers = std::max(layers, o.layer + 1);
    for (auto const& o : seen) {
        if (o.metric == "sink_share") sinks[{o.layer, o.head}][o.step] = o.value;
        // What enters a layer is what leaves the one before.
        if (o.metric == "resid_pre.bos_norm_ratio") peaks[{o.layer, whole}][o.step] = o.value;
        if (o.metric == "resid_post.bos_norm_ratio" && o.layer + 1 < layers) peaks[{o.layer + 1, whole}][o.step] = o.value;
    }
    auto const add = [&](auto const& places, char const* curve, char const* from, double threshold) {
        for (auto const& [at, by_step] : places) {
            for (auto const& [when, value] : by_step) rows.add(policy, seed, when, {curve, at.first, at.second}, value);
            rows.add(policy, seed, step, {from, at.first, at.second}, step_from_above(by_step, threshold));
        }
    };
    add(sinks, "sink_share", "steps_to_sink", sink_threshold);
    add(peaks, "residual_peak", "steps_to_peak", peak_threshold);
}

}  // namespace attnlab
