#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/attention_scores.hpp>
#include <attnlab/analysis/interventions/weight_edit.hpp>
#include <attnlab/analysis/outliers/find.hpp>
#include <attnlab/analysis/outliers/massive.hpp>
#include <attnlab/analysis/outliers/sink.hpp>

/// \file
/// The causal chain of outliers (2502.06415): weights make activations, activations make sinks. Each is taken away, and what
/// became of the others is measured where they had stood.

namespace attnlab {

/// A model under one intervention.
struct chain_link {
    std::string what;
    index_t changed = 0;                     ///< numbers that the intervention changed in a batch
    std::size_t activations = 0, sinks = 0;  ///< outliers that the rules find now
    double magnitude = 0;                    ///< mean |h| now, where activations were outliers
    double sink_share = 0;                   ///< mean alpha now, where keys were sinks
    double loss = 0;                         ///< nats a token
};

using weight_outliers = outlier_set<axis::layer, axis::row, axis::column>;
using stream_outliers = outlier_set<axis::sequence, axis::layer, axis::token, axis::channel>;
using sink_outliers = outlier_set<axis::sequence, axis::layer, axis::head, axis::key>;

struct causal_chain_result {
    weight_outliers weights;
    stream_outliers activations;
    sink_outliers sinks;
    chain_link before, without_weights, without_activations;
    std::optional<chain_link>
        without_sink_values;  ///< not for policies that make values inside the kernel, nor for grouped heads
};

/// Which outliers are meant.
template <class Activations = massive, class Sinks = sink_rule>
struct chain_rules {
    Activations activations{};
    Sinks sinks{};
};

namespace detail {

/// What stands now where outliers were.
template <class T>
class at_former_outliers {
public:
    using sites = site_list<site::resid_post, site::pattern>;

    at_former_outliers(stream_outliers const& activations, sink_outliers const& sinks)
        : activations_(activations), sinks_(sinks) {}
    void operator()(site::resid_post, index_t layer, view<T const, 3> x) {
        for (auto const& e : activations_)
            if (e.at[1] == layer) magnitude.add(std::abs(static_cast<double>(x(e.at[0], e.at[2], e.at[3]))));
    }
    void operator()(site::pattern, index_t layer, view<T const, 4> p) {
        for (auto const& e : sinks_)
            if (e.at[1] == layer) share.add(sink_score(p[e.at[0]][e.at[2]], e.at[3]));
    }
    running_mean magnitude, share;

private:
    stream_outliers const& activations_;
    sink_outliers const& sinks_;
};

}  // namespace detail

/// The whole chain on one batch: `weights` (found by any rule, of `Weight`) set to zero; activation outliers of the stream set to
/// zero; the values of the sinks set to zero, which the heads then look at without effect. The model is left as it was. A mean
/// over nothing is NaN.
template <class Weight, class Model, class Activations, class Sinks>
causal_chain_result causal_chain(Model& model, view<std::int32_t const, 2> x, view<std::int32_t const, 2> y,
                                 weight_outliers weights, chain_rules<Activations, Sinks> const& rules) {
    using T = typename Model::scalar;
    causal_chain_result out;
    out.weights = std::move(weights);
    auto const measure = [&](std::string what, auto& intervention, auto keep) {
        outlier_finder<T, Activations, site::resid_post> activations(rules.activations);
        outlier_finder<T, Sinks, site::pattern> sinks(rules.sinks);
        together found(intervention, activations, sinks);
        chain_link link{.what = std::move(what)};
        link.loss = model.loss(x, y, found);
        auto const h = activations.set();
        auto const s = sinks.set();
        keep(h, s);
        link.activations = h.size(), link.sinks = s.size();
        return link;
    };
    auto const forget = [](auto const&...) {};
    auto const now = [&](chain_link& link, auto& intervention) {
        detail::at_former_outliers<T> former(out.activations, out.sinks);
        together both(intervention, former);
        model.loss(x, y, both);
        link.magnitude = former.magnitude.mean(), link.sink_share = former.share.mean();
    };
    auto const link = [&](std::string what, auto& intervention) {
        auto l = measure(std::move(what), intervention, forget);
        intervention.restart();
        now(l, intervention);
        l.changed = intervention.changed();
        return l;
    };

    no_observer nobody;
    out.before = measure("as it is", nobody, [&](auto const& h, auto const& s) { out.activations = h, out.sinks = s; });
    now(out.before, nobody);
    {
        weight_edit<T> edit(model.parameters());
        index_t const changed = edit.template apply<Weight>(out.weights, change::to_zero{});
        out.without_weights = measure("weight outliers at zero", nobody, forget);
        now(out.without_weights, nobody);
        out.without_weights.changed = changed;
    }
    auto cut = at_outliers<site::resid_post>(out.activations, change::to_zero{});
    out.without_activations = link("activation outliers at zero", cut);
    if constexpr (!Model::policy::has_value)
        if (model.config().kv_heads() == model.config().n_head) {
            auto drained = at_outliers<site::v>(out.sinks, change::to_zero{});
            out.without_sink_values = link("values of the sinks at zero", drained);
        }
    return out;
}

}  // namespace attnlab
