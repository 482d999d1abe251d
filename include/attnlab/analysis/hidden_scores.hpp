#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <attnlab/analysis/scores.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// Every score of hidden states, over any number of sequences at one site and layer. What a training run writes down step by step
/// is the smaller stream_scores.hpp.

namespace attnlab {

/// How the ratios of many tokens become one number.
enum class over_tokens { mean, max };

class hidden_scores {
public:
    /// \param sink  position of the row that is held against the others
    explicit hidden_scores(index_t sink = 0) : norms_(sink), sink_(sink) {}

    /// One sequence, (T,C).
    template <class T>
    void add(view<T const, 2> h) {
        auto const m = magnitudes_of(h);
        power_.merge(m.power);
        channels_.add(h);
        norms_.add(h);
        if (m.power.count() == 0) return;
        inf_norm_.add(m.inf_norm()), crest_.add(m.crest());
        max_over_mean_.add(m.max_over_mean()), max_over_median_.add(m.max_over_median());
        double const values[] = {m.top1, m.top2, m.top3, m.median};
        for (int i = 0; i < 4; ++i)
            if (std::isfinite(values[i])) curves_[i].add(values[i]);
        // A token is a thread's; they are summed in their order, so that any number of threads gives the same bits.
        std::vector<double> kurtosis(static_cast<std::size_t>(h.shape(0))), ratio(kurtosis.size());
#pragma omp parallel for schedule(static)
        for (index_t t = 0; t < h.shape(0); ++t) {
            moments token;
            token.add(h[t]);
            kurtosis[static_cast<std::size_t>(t)] = token.centred_kurtosis();
            ratio[static_cast<std::size_t>(t)] = attnlab::max_over_median(h[t]);
        }
        for (std::size_t t = 0; t < ratio.size(); ++t) {
            if (std::isfinite(kurtosis[t])) (static_cast<index_t>(t) == sink_ ? kurtosis_first_ : kurtosis_rest_).add(kurtosis[t]);
            if (!std::isfinite(ratio[t])) continue;
            token_ratio_.add(ratio[t]);
            largest_token_ratio_ = std::max(largest_token_ratio_, ratio[t]);
        }
    }
    /// A batch, (B,T,C).
    template <class T>
    void add(view<T const, 3> x) {
        for (index_t b = 0; b < x.shape(0); ++b) add(x[b]);
    }
    void merge(hidden_scores const& o) {
        require(sink_ == o.sink_, "hidden scores: merge: expected the same sink in both parts");
        power_.merge(o.power_), channels_.merge(o.channels_), norms_.merge(o.norms_);
        inf_norm_.merge(o.inf_norm_), crest_.merge(o.crest_), max_over_mean_.merge(o.max_over_mean_),
            max_over_median_.merge(o.max_over_median_);
        for (int i = 0; i < 4; ++i) curves_[i].merge(o.curves_[i]);
        kurtosis_first_.merge(o.kurtosis_first_), kurtosis_rest_.merge(o.kurtosis_rest_), token_ratio_.merge(o.token_ratio_);
        largest_token_ratio_ = std::max(largest_token_ratio_, o.largest_token_ratio_);
    }

    std::int64_t sequences() const { return inf_norm_.count(); }
    std::int64_t not_finite() const { return power_.not_finite(); }
    /// Of all elements.
    double mean_abs() const { return power_.mean_abs(); }

    /// E[(x-mu)^4] / E[(x-mu)^2]^2 over all elements (2306.12929, which takes the mean of this over layers); a Gaussian has 3.
    double element_kurtosis() const { return power_.centred_kurtosis(); }
    /// Of the channels' RMS, from 1 to C (2405.19279).
    double neuron_kurtosis() const { return channels_.kurtosis(); }
    /// Over the channels of a token, the sink's and the mean of the others' (2410.17174).
    token_kurtosis_result token_kurtosis() const { return {kurtosis_first_.mean(), kurtosis_rest_.mean()}; }
    /// The same, the mean over all tokens.
    double mean_token_kurtosis() const {
        auto all = kurtosis_first_;
        all.merge(kurtosis_rest_);
        return all.mean();
    }
    /// max |h| of a sequence, mean over sequences (2306.12929).
    double inf_norm() const { return inf_norm_.mean(); }
    /// max |h| / RMS of a sequence, mean over sequences.
    double crest() const { return crest_.mean(); }
    /// max |h| / mean |h| of a sequence, mean over sequences (2502.06415).
    double max_over_mean() const { return max_over_mean_.mean(); }
    /// max |h| / median |h| of a sequence, mean over sequences (2402.17762).
    double max_over_median() const { return max_over_median_.mean(); }
    /// max_c / median_c of a token, over all tokens (MMR of 2405.19279, which leaves the aggregate open).
    double token_max_over_median(over_tokens how = over_tokens::mean) const {
        return how == over_tokens::mean ? token_ratio_.mean() : largest_token_ratio_;
    }
    /// Largest |h| of a sequence and the next two, rank 0 to 2, and its median: means over sequences (2402.17762, the layerwise
    /// figure).
    double top(int rank) const {
        require(rank >= 0 && rank < 3, "hidden scores: top ", rank, ": expected 0 to 2");
        return curves_[rank].mean();
    }
    double median() const { return curves_[3].mean(); }
    /// norm(h_sink) / mean norm of the others (2410.13835).
    double residual_peak() const { return norms_.ratio(); }

private:
    moments power_;
    square_sums channels_;
    row_against_rest norms_;
    index_t sink_;
    running_mean inf_norm_, crest_, max_over_mean_, max_over_median_, curves_[4], kurtosis_first_, kurtosis_rest_, token_ratio_;
    double largest_token_ratio_ = -std::numeric_limits<double>::infinity();
};

}  // namespace attnlab
