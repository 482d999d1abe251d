#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <attnlab/analysis/interventions/sink_as_scale.hpp>
#include <attnlab/analysis/results.hpp>
#include <attnlab/analysis/scale_match.hpp>
#include <attnlab/cli/any_model.hpp>
#include <attnlab/cli/evaluation_batches.hpp>

/// \file
/// A model's sinks read as scales, on its evaluation sequences.

namespace attnlab {

/// \throws error where `model.scale_obstacle()` says so
inline sink_as_scale_result measure_scale(any_model& model, std::vector<evaluation_batch> const& batches) {
    std::vector<token_batch> views;
    for (auto const& b : batches) views.push_back({*b.x, *b.y});
    return sink_as_scale(model, views, {.head_by_head = true});
}

/// Appends what was found of every head and of all sinks, or what is in the way, at `step`.
inline void add_scales(results& rows, any_model& model, data_source const& data, run_settings const& s, index_t step) {
    auto const row = [&](std::string const& name, double value, index_t layer = whole, index_t head = whole) {
        rows.add(s.policy, static_cast<int>(s.seed), step, {"sink_scale." + name, layer, head}, value);
    };
    auto const obstacle = s.model.block_size > 1 ? model.scale_obstacle() : scale_obstacle::none;
    row("obstacle", static_cast<double>(obstacle));
    if (obstacle != scale_obstacle::none || s.model.block_size < 2) return;
    auto const found = measure_scale(model, evaluation_batches(data, s));
    row("sinks", static_cast<double>(found.sinks()));
    for (auto const& h : found.heads) {
        row("mean", h.mean(), h.layer, h.head);
        row("variance", h.variance(), h.layer, h.head);
        for (int p : scale_percentiles) row("p" + std::to_string(p), h.quantile(p / 100.0), h.layer, h.head);
        row("sink_part", h.sink_part.mean(), h.layer, h.head);
        row("excess_risk", h.excess_risk, h.layer, h.head);
    }
    if (found.sinks() == 0) return;
    for (auto const& [name, c] : {std::pair{"zero_value", found.without_value}, {"mean_scale", found.with_mean_scale}, {"constant_sink", found.with_constant}}) {
        row(name, c.mean);
        row(std::string(name) + ".noise", c.half_width);
    }
}

/// Scales and gates on the first evaluation sequences: some 4096 tokens of them, 16 sequences at least, or what there is.
inline scale_sample take_scales(any_model& model, data_source const& data, run_settings const& s) {
    index_t const T = s.model.block_size, wanted = std::max(index_t{16}, 4096 / T);
    scale_taker taker;
    std::vector<std::int64_t> tokens;
    for (auto const& b : evaluation_batches(data, s)) {
        if (static_cast<index_t>(tokens.size()) >= wanted * T) break;
        model.logits(*b.x, taker);
        tokens.insert(tokens.end(), b.x.data(), b.x.data() + b.x.size());
    }
    return taker.take(s.policy, static_cast<int>(s.seed), std::move(tokens));
}

/// Appends how the sinks' scales of every run go with the gates of the runs of context_scale, at `step`.
inline void add_scale_matches(results& rows, std::vector<scale_sample> const& samples, index_t step) {
    for (auto const& s : samples) {
        auto const sinks = s.policy == "context_scale" ? std::vector<index_t>{} : sinks_of(s);
        if (sinks.empty()) continue;
        running_mean correlation, chance;
        double p = 0;
        for (auto const& other : samples) {
            if (other.policy != "context_scale" || other.tokens != s.tokens) continue;
            auto const m = match_scales(s, sinks, other);
            correlation.add(m.correlation), chance.add(m.chance), p = std::max(p, m.p);
        }
        if (correlation.count() == 0) continue;
        rows.add(s.policy, s.seed, step, {"sink_scale.correlation"}, correlation.mean());
        rows.add(s.policy, s.seed, step, {"sink_scale.correlation.chance"}, chance.mean());
        rows.add(s.policy, s.seed, step, {"sink_scale.correlation.p"}, p);
    }
}

}  // namespace attnlab
