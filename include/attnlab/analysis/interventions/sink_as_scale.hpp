#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <attnlab/analysis/estimate.hpp>
#include <attnlab/analysis/interventions/scale_observers.hpp>
#include <attnlab/analysis/interventions/scale_verdict.hpp>
#include <attnlab/analysis/metrics.hpp>
#include <attnlab/analysis/outliers/outlier_set.hpp>
#include <attnlab/analysis/position_losses.hpp>

/// \file
/// The central claim of 2502.06415: a sink is an implicit, context-aware scaling factor. With a_i = P[i, sink] a head computes
/// o_i = S_i o_rest + a_i v_sink, S_i = 1 - a_i, o_rest the mean of the other values. If the sink is there for the scale, then
/// (i) what it hands on does not matter, (ii) a scale that is the same for every query hurts, (iii) any constant key and value do
/// as well.

namespace attnlab {

using sink_heads = outlier_set<axis::layer, axis::head>;

/// Tokens and targets, (B, T).
struct token_batch {
    view<std::int32_t const, 2> x, y;
};

struct sink_as_scale_options {
    std::optional<sink_heads> heads = {};   ///< nothing: the heads with a mean weight on the sink above `sink_threshold`
    index_t sink = 0;                       ///< its position
    bool head_by_head = false;              ///< the excess risk of every head too: one more pass a head
};

struct sink_as_scale_result {
    std::vector<head_scale> heads;   ///< all of the model's; `sink` marks those that were intervened on
    sink_cache cache;                ///< k', v' of (iii), and how far single sequences are from them
    std::size_t sequences = 0;
    double loss = 0;                 ///< as it is: the mean over sequences
    loss_change without_value;       ///< (i) v_sink at zero
    loss_change with_mean_scale;     ///< (ii) S_i at its mean over queries and sequences, head by head; a_i v_sink as it is
    loss_change with_constant;       ///< (iii) k and v of the sink at their means over sequences: an attention bias in its place

    scale_verdict verdict() const { return verdict_of(without_value, with_mean_scale, with_constant); }
    index_t sinks() const { return std::count_if(heads.begin(), heads.end(), [](auto const& h) { return h.sink; }); }
};

/// The claim on these batches, all heads of which it is the sink at once. Exact for policies without `obstacle_to_scale` (cli/scale_policy.hpp); the model's
/// `logits` takes an `attention_changer`. The key and value of position 0 are the same in all sequences that begin with one token, so that
/// (iii) is harmless there by construction. \throws error where query heads share values
template <class Model>
sink_as_scale_result sink_as_scale(Model& model, std::vector<token_batch> const& batches, sink_as_scale_options const& options = {}) {
    using T = typename Model::scalar;
    sink_as_scale_result out;
    out.cache = sink_cache(options.sink);
    for (auto const& b : batches)
        require(0 <= options.sink && options.sink + 1 < b.x.shape(1), "sink_as_scale: sink ", options.sink, ": expected a position before ",
                b.x.shape(1) - 1, ", the last");
    auto const losses = [&](attention_changer<T>& o) {
        std::vector<double> all;
        for (auto const& b : batches)
            for (double loss : sequence_losses(model.logits(b.x, o), b.y)) all.push_back(loss);
        return all;
    };
    detail::scale_measuring<T> measuring(out.heads, out.cache);
    auto const before = losses(measuring);
    auto const change = [&](attention_changer<T>& o) {
        auto after = losses(o);
        for (std::size_t n = 0; n < after.size(); ++n) after[n] -= before[n];
        auto const e = estimate_of(std::move(after));
        return loss_change{e.mean, e.half_width};
    };
    out.sequences = before.size();
    out.loss = estimate_of(before).mean;
    for (auto& h : out.heads) {
        auto const chosen = [&](auto const& e) { return e.at[0] == h.layer && e.at[1] == h.head; };
        h.sink = options.heads ? std::any_of(options.heads->begin(), options.heads->end(), chosen) : 1 - h.mean() > sink_threshold;
    }
    if (out.sinks() > 0) {
        detail::value_at_zero<T> silent(out.heads, options.sink);
        out.without_value = change(silent);
        detail::scale_at_mean<T> even(out.heads, options.sink);
        out.with_mean_scale = change(even);
        detail::sink_constant<T> constant(out.heads, out.cache);
        out.with_constant = change(constant);
    }
    if (options.head_by_head)
        for (auto& h : out.heads) {
            index_t const in_layer = std::count_if(out.heads.begin(), out.heads.end(), [&](auto const& o) { return o.layer == h.layer; });
            detail::head_at_zero<T> off(h.layer, h.head, in_layer);
            h.excess_risk = change(off).mean;
        }
    return out;
}

}  // namespace attnlab
