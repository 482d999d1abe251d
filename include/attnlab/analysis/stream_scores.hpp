#pragma once
#include <cstdint>

#include <attnlab/analysis/scores.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// The scores of the residual stream at one place of the model, over many sequences, without keeping one.

namespace attnlab {

/// Magnitudes of the stream at one place of the model, sequence by sequence.
class stream_scores {
public:
    explicit stream_scores(double custom_factor) : custom_factor_(custom_factor) {}

    template <class T>
    void add(view<T const, 3> x) {
        for (index_t b = 0; b < x.shape(0); ++b) {
            auto const h = x[b];
            auto const m = magnitudes_of(h);
            power_.merge(m.power);
            norms_.add(h);
            if (m.power.count() == 0) continue;  // nothing finite: counted in power_
            top1_.add(m.top1), top2_.add(m.top2), top3_.add(m.top3), median_.add(m.median);
            max_over_median_.add(m.max_over_median());
            count_1000_ += outlier_tokens(h, 1000, m.power.mean_abs());
            count_50_ += outlier_tokens(h, 50, m.power.mean_abs());
            count_custom_ += outlier_tokens(h, custom_factor_, m.power.mean_abs());
        }
    }

    /// Takes over what another thread, batch or rank saw.
    void merge(stream_scores const& o) {
        power_.merge(o.power_), norms_.merge(o.norms_);
        top1_.merge(o.top1_), top2_.merge(o.top2_), top3_.merge(o.top3_), median_.merge(o.median_);
        max_over_median_.merge(o.max_over_median_);
        count_1000_ += o.count_1000_, count_50_ += o.count_50_, count_custom_ += o.count_custom_;
    }

    bool empty() const { return power_.count() + power_.not_finite() == 0; }
    std::int64_t not_finite() const { return power_.not_finite(); }

    /// `row(name, value)` for each score.
    template <class Row>
    void each(Row&& row) const {
        row("kurtosis", power_.kurtosis());
        row("max_over_mean", power_.max_abs() / power_.mean_abs());
        row("max_over_median", max_over_median_.mean());
        row("bos_norm_ratio", norms_.ratio());
        row("top1", top1_.mean());
        row("top2", top2_.mean());
        row("top3", top3_.mean());
        row("median", median_.mean());
        row("outliers_1000x", static_cast<double>(count_1000_));
        row("outliers_50x", static_cast<double>(count_50_));
        row("outliers_custom", static_cast<double>(count_custom_));
    }

private:
    double custom_factor_;
    moments power_;
    row_against_rest norms_;
    running_mean top1_, top2_, top3_, median_, max_over_median_;
    index_t count_1000_ = 0, count_50_ = 0, count_custom_ = 0;
};

}  // namespace attnlab
