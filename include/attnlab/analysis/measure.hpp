#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/analysis/attention_scores.hpp>
#include <attnlab/analysis/results.hpp>
#include <attnlab/analysis/scores.hpp>
#include <attnlab/analysis/stream_scores.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/observe/observer.hpp>

/// \file
/// The observer behind every report: it goes through the forward passes over the evaluation sequences and keeps, per layer and
/// head, only sums. Definitions: metrics.hpp.

namespace attnlab {

/// What one head does with its first key.
struct head_scores {
    running_mean bos, bos_trigger, bos_ordinary, bos_gated, sink, slot, gate;
    row_against_rest values;

    bool is_sink() const { return bos.mean() > sink_threshold; }
    bool is_sink_and_drain() const { return is_sink() && values.ratio() < drain_threshold; }
};

/// `measure<float> m; for (batches) { m.mark_triggers(mask); model.logits(x, m); } m.finish(rows, "softmax", seed, step);`
template <class T>
class measure {
public:
    using sites = site_list<site::resid_pre, site::v, site::pattern, site::slot, site::gate, site::resid_post>;

    /// \param outlier_factor  factor of the third count of outliers, beside 1000 and 50
    explicit measure(double outlier_factor = 20) : outlier_factor_(outlier_factor) {
        require(outlier_factor > 0, "outlier factor: expected a number above 0");
    }

    /// Queries of the next passes that have something to copy: nonzero in (B,T). Without it the split is not measured.
    void mark_triggers(view<std::uint8_t const, 2> mask) {
        trigger_shape_ = mask.shape();
        triggers_.assign(mask.begin(), mask.end());
    }

    void operator()(site::resid_pre, index_t layer, view<T const, 3> x) {
        if (layer == 0) sequences_ += x.shape(0), length_ = x.shape(1);
        at(layer).entering.add(x);
    }
    void operator()(site::resid_post, index_t layer, view<T const, 3> x) { at(layer).leaving.add(x); }

    void operator()(site::v, index_t layer, view<T const, 4> x) {
        auto& seen = at(layer, x.shape(1));
        seen.value_heads = static_cast<std::size_t>(x.shape(1));
        for (index_t b = 0; b < x.shape(0); ++b)
            for (index_t h = 0; h < x.shape(1); ++h) seen.heads[static_cast<std::size_t>(h)].values.add(x[b][h]);
    }

    void operator()(site::pattern, index_t layer, view<T const, 4> x) {
        index_t const B = x.shape(0), H = x.shape(1), queries = x.shape(2);
        auto& heads = at(layer, H).heads;
        bool const split = !triggers_.empty();
        if (split && trigger_shape_ != std::array<index_t, 2>{B, queries})
            fail("measure: triggers: expected a mask of ", B, " x ", queries, ", got ", trigger_shape_[0], " x ", trigger_shape_[1]);
        first_column_.resize({B, H, queries});
        for (index_t b = 0; b < B; ++b)
            for (index_t h = 0; h < H; ++h) {
                auto& head = heads[static_cast<std::size_t>(h)];
                running_mean alpha;
                for (index_t i = 0; i < queries; ++i) {
                    double const p = first_column_(b, h, i) = static_cast<double>(x(b, h, i, 0));
                    if (!keep(p)) continue;
                    alpha.add(p);
                    if (i == 0) continue;
                    head.bos.add(p);
                    if (split) (triggers_[static_cast<std::size_t>(b * queries + i)] ? head.bos_trigger : head.bos_ordinary).add(p);
                }
                if (alpha.count() > 0) head.sink.add(alpha.mean() > sink_threshold);
                for (T const p : x[b][h]) negative_ += p < 0, weights_ += p != 0;   // what a mask hides is 0
            }
    }

    void operator()(site::slot, index_t layer, view<T const, 3> x) {
        each_head(layer, x, [](head_scores& head, index_t, index_t, index_t, double share) { head.slot.add(share); });
    }

    /// Comes after this layer's pattern, as site::all orders them.
    void operator()(site::gate, index_t layer, view<T const, 3> x) {
        if (x.shape() != first_column_.shape())
            fail("measure: gate of layer ", layer, ": expected the shape of the pattern before it, ", first_column_.shape(0), " x ",
                 first_column_.shape(1), " x ", first_column_.shape(2));
        each_head(layer, x, [&](head_scores& head, index_t b, index_t h, index_t i, double factor) {
            head.gate.add(factor);
            if (i > 0 && std::isfinite(first_column_(b, h, i))) head.bos_gated.add(first_column_(b, h, i) * factor);
        });
    }

    /// Appends what was seen as rows of (policy, seed, step): per head, per layer, for the whole model. What no site told is left
    /// out. \throws error when no pass was seen
    void finish(results& out, std::string const& policy, int seed, index_t step) const {
        require(!layers_.empty() && sequences_ > 0, "measure: expected at least one forward pass before its rows are asked");
        auto row = [&](char const* name, double value, index_t layer = whole, index_t head = whole) {
            out.add(policy, seed, step, {name, layer, head}, value);
        };
        mean_of_heads("bos_mass", row, [](head_scores const& h) { return h.bos.mean(); });
        mean_of_heads("bos_mass_trigger", row, [](head_scores const& h) { return h.bos_trigger.mean(); });
        mean_of_heads("bos_mass_ordinary", row, [](head_scores const& h) { return h.bos_ordinary.mean(); });
        mean_of_heads("bos_mass_gated", row, [](head_scores const& h) { return h.bos_gated.mean(); });
        mean_of_heads("sink_rate", row, [](head_scores const& h) { return h.sink.mean(); });
        mean_of_heads("slot_mass", row, [](head_scores const& h) { return h.slot.mean(); });
        mean_of_heads("gate", row, [](head_scores const& h) { return h.gate.mean(); });
        mean_of_heads("value_ratio", row, [](head_scores const& h) { return h.values.ratio(); });
        whole_model(row);
        streams(row);
    }

private:
    struct layer_scores {
        explicit layer_scores(double factor) : entering(factor), leaving(factor) {}
        stream_scores entering, leaving;
        std::vector<head_scores> heads;
        std::size_t value_heads = 0;   // fewer than heads under grouped queries: the first ones then hold the groups' values

        /// Each query head with the values that it reads.
        std::vector<head_scores> query_heads() const {
            auto all = heads;
            if (value_heads > 0)
                for (std::size_t h = 0; h < all.size(); ++h) all[h].values = heads[h * value_heads / all.size()].values;
            return all;
        }
    };

    layer_scores& at(index_t layer, index_t heads = 0) {
        while (static_cast<index_t>(layers_.size()) <= layer) layers_.emplace_back(outlier_factor_);
        auto& l = layers_[static_cast<std::size_t>(layer)];
        if (heads > static_cast<index_t>(l.heads.size())) l.heads.resize(static_cast<std::size_t>(heads));
        return l;
    }

    bool keep(double x) {
        bool const finite = std::isfinite(x);
        not_finite_ += !finite;
        return finite;
    }

    template <class Use>
    void each_head(index_t layer, view<T const, 3> x, Use&& use) {
        auto& heads = at(layer, x.shape(1)).heads;
        for (index_t b = 0; b < x.shape(0); ++b)
            for (index_t h = 0; h < x.shape(1); ++h)
                for (index_t i = 0; i < x.shape(2); ++i)
                    if (double const value = static_cast<double>(x(b, h, i)); keep(value))
                        use(heads[static_cast<std::size_t>(h)], b, h, i, value);
    }

    /// A score per head, its mean per layer and the mean over layers; a score that is NaN was not measured.
    template <class Row, class Score>
    void mean_of_heads(char const* name, Row& row, Score&& score) const {
        running_mean model;
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            running_mean layer;
            auto const heads = layers_[l].query_heads();
            for (std::size_t h = 0; h < heads.size(); ++h) {
                double const value = score(heads[h]);
                if (std::isnan(value)) continue;
                row(name, value, static_cast<index_t>(l), static_cast<index_t>(h));
                layer.add(value);
            }
            if (layer.count() == 0) continue;
            row(name, layer.mean(), static_cast<index_t>(l));
            model.add(layer.mean());
        }
        if (model.count() > 0) row(name, model.mean());
    }

    template <class Row>
    void whole_model(Row& row) const {
        running_mean sinks, bos;
        index_t both = 0, judged = 0;
        double largest = -std::numeric_limits<double>::infinity(), smallest = std::numeric_limits<double>::infinity();
        std::int64_t not_finite = not_finite_;
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            index_t both_here = 0, judged_here = 0;
            for (auto const& head : layers_[l].query_heads()) {
                if (head.bos.count() == 0) continue;
                sinks.add(head.is_sink());
                bos.add(head.bos.mean());
                largest = std::max(largest, head.bos.mean());
                // A head whose values were not seen (or have one row) is neither drained nor not: it must not count as "no".
                if (double const ratio = head.values.ratio(); std::isfinite(ratio)) {
                    smallest = std::min(smallest, ratio);
                    both_here += head.is_sink_and_drain();
                    ++judged_here;
                }
            }
            if (judged_here > 0) row("sinks_and_drains", static_cast<double>(both_here), static_cast<index_t>(l));
            both += both_here, judged += judged_here;
            not_finite += layers_[l].entering.not_finite() + layers_[l].leaving.not_finite();
            for (auto const& head : layers_[l].heads) not_finite += head.values.not_finite();
        }
        if (bos.count() > 0) {
            row("heads", static_cast<double>(bos.count()));
            row("sink_heads", sinks.mean());
            row("first_token_share", bos.mean());
            row("bos_mass_max", largest);
            row("bos_mass_uniform", uniform_bos_mass(length_));
        }
        if (judged > 0) {
            row("sinks_and_drains", static_cast<double>(both));
            row("value_ratio_min", smallest);
        }
        if (negative_ > 0) row("negative_weights", static_cast<double>(negative_) / static_cast<double>(weights_));
        row("sequences", static_cast<double>(sequences_));
        row("length", static_cast<double>(length_));
        row("outlier_factor", outlier_factor_);
        row("not_finite", static_cast<double>(not_finite));
    }

    template <class Row>
    void streams(Row& row) const {
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            auto rows_of = [&](char const* site, stream_scores const& s) {
                if (s.empty()) return;
                s.each([&](char const* name, double value) { row((std::string(site) + name).c_str(), value, static_cast<index_t>(l)); });
            };
            rows_of("resid_pre.", layers_[l].entering);
            rows_of("resid_post.", layers_[l].leaving);
        }
    }

    double outlier_factor_;
    std::vector<layer_scores> layers_;
    std::array<index_t, 2> trigger_shape_{};
    std::vector<std::uint8_t> triggers_;
    tensor<double, 3> first_column_;  // P[., ., i, 0] of the layer just passed
    index_t sequences_ = 0, length_ = 0;
    std::int64_t not_finite_ = 0, negative_ = 0, weights_ = 0;
};

}  // namespace attnlab
