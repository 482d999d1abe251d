#pragma once
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
    struct curve_kind {
        char const *streamed, *name, *from;
        double threshold;
    };
    for (auto const& kind : {curve_kind{"sink_share", "sink_share", "steps_to_sink", sink_threshold},
                             curve_kind{"resid_post.bos_norm_ratio", "residual_peak", "steps_to_peak", peak_threshold}}) {
        std::map<std::pair<index_t, index_t>, std::map<index_t, double>> places;   // (layer, head), step
        for (auto const& o : seen) {
            if (o.metric != kind.streamed) continue;
            rows.add(policy, seed, o.step, {kind.name, o.layer, o.head}, o.value);
            places[{o.layer, o.head}][o.step] = o.value;
        }
        for (auto const& [place, by_step] : places)
            rows.add(policy, seed, step, {kind.from, place.first, place.second}, step_from_above(by_step, kind.threshold));
    }
}

}  // namespace attnlab
