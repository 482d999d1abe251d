#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include <attnlab/core/view.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// Scores of one matrix: hidden states (rows = tokens, columns = channels), values (rows = keys) or attention weights (rows =
/// queries, columns = keys). Sums are double; values that are not finite are counted and left out.

namespace attnlab {

/// The magnitudes of a tensor: the curves of 2402.17762 and of the layerwise figure of 2502.06415 are top1..top3 and median.
struct magnitudes {
    double top1 = std::numeric_limits<double>::quiet_NaN(), top2 = top1, top3 = top1;
    double median = top1;  ///< the lower of the two middle ones where their number is even, as torch.median
    moments power;         ///< mean, rms, kurtosis, count of values that are not finite

    double max_over_mean() const { return top1 / power.mean_abs(); }    ///< 2502.06415
    double max_over_median() const { return top1 / median; }            ///< 2402.17762, 2405.19279
    double crest() const { return top1 / power.rms(); }                 ///< crest factor
    double inf_norm() const { return top1; }                            ///< 2306.12929
};

/// One pass and a selection. Top ranks a tensor is too small for stay NaN.
template <class T>
magnitudes magnitudes_of(std::span<T const> x) {
    magnitudes m;
    std::vector<T> a;
    a.reserve(x.size());
    for (T v : x) {
        m.power.add(static_cast<double>(v));
        if (std::isfinite(v)) a.push_back(std::abs(v));
    }
    if (a.empty()) return m;
    auto const middle = a.begin() + static_cast<std::ptrdiff_t>((a.size() - 1) / 2);
    std::nth_element(a.begin(), middle, a.end());
    m.median = static_cast<double>(*middle);
    auto const top = a.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(3, a.size()));
    std::partial_sort(a.begin(), top, a.end(), std::greater<>());
    m.top1 = static_cast<double>(a[0]);
    if (a.size() > 1) m.top2 = static_cast<double>(a[1]);
    if (a.size() > 2) m.top3 = static_cast<double>(a[2]);
    return m;
}

/// Euclidean norm of a row.
template <class T>
double norm(view<T, 1> row) {
    double sum = 0;
    for (T x : row) sum += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(sum);
}

/// The norm of row 0 against the other rows' mean norm, pooled over the matrices added. Over hidden states it is the residual peak,
/// over the values of a head the value drain (Guo et al. 2410.13835).
class first_against_rest {
public:
    template <class T>
    void add(view<T const, 2> rows) {
        for (index_t t = 0; t < rows.shape(0); ++t) {
            double const n = norm(rows[t]);
            if (!std::isfinite(n)) ++not_finite_;
            else (t == 0 ? first_ : rest_).add(n);
        }
    }
    /// NaN with a single row.
    double ratio() const { return first_.mean() / rest_.mean(); }
    std::int64_t not_finite() const { return not_finite_; }

private:
    running_mean first_, rest_;
    std::int64_t not_finite_ = 0;
};

/// norm(h_0) / mean_{t>0} norm(h_t) of one sequence (T,C).
template <class T>
double residual_peak(view<T const, 2> h) {
    first_against_rest f;
    f.add(h);
    return f.ratio();
}

/// norm(v_0) / mean_{j>0} norm(v_j) of one head (T,D).
template <class T>
double value_ratio(view<T const, 2> v) {
    return residual_peak(v);
}

/// Tokens with max_c |h[t,c]| > factor * mean |h|, the mean over the whole sequence, outliers included (code of 2502.06415; 1000
/// there). h is (T,C).
template <class T>
index_t outlier_tokens(view<T const, 2> h, double factor, double mean_abs) {
    index_t count = 0;
    for (index_t t = 0; t < h.shape(0); ++t) {
        auto const row = h[t];
        // A NaN passes no comparison: such a channel is left out, the other channels of its token are not.
        count += std::any_of(row.begin(), row.end(), [&](T x) { return std::isfinite(x) && std::abs(static_cast<double>(x)) > factor * mean_abs; });
    }
    return count;
}
template <class T>
index_t outlier_tokens(view<T const, 2> h, double factor) {
    moments m;
    m.add(h);
    return outlier_tokens(h, factor, m.mean_abs());
}

/// Kurtosis of the channels' sizes: r_c^2 = mean_t h^2; mean_c r^4 / (mean_c r^2)^2, from 1 to C (2405.19279). h is (T,C).
template <class T>
double neuron_kurtosis(view<T const, 2> h) {
    moments sizes;
    for (index_t c = 0; c < h.shape(1); ++c) {
        moments channel;
        for (index_t t = 0; t < h.shape(0); ++t) channel.add(static_cast<double>(h(t, c)));
        sizes.add(channel.rms());
    }
    return sizes.kurtosis();
}

/// Kurtosis over channels, token by token: the first token against the mean of the rest (2410.17174). h is (T,C).
struct token_kurtosis_result {
    double first, rest;
};
template <class T>
token_kurtosis_result token_kurtosis(view<T const, 2> h) {
    auto of = [&](index_t t) {
        moments m;
        m.add(h[t]);
        return m.centred_kurtosis();
    };
    running_mean rest;
    for (index_t t = 1; t < h.shape(0); ++t) rest.add(of(t));
    return {of(0), rest.mean()};
}

/// Mean weight on key 0 over queries 1..T-1 of one head's weights (T,T); NaN for T = 1.
template <class T>
double bos_mass(view<T const, 2> p) {
    running_mean m;
    for (index_t i = 1; i < p.shape(0); ++i) m.add(static_cast<double>(p(i, 0)));
    return m.mean();
}

/// alpha_j = 1/(T-j) sum_{i>=j} P[i,j] of one head's weights (T,T) (Gu et al. 2410.10781).
template <class T>
double sink_score(view<T const, 2> p, index_t j = 0) {
    running_mean m;
    for (index_t i = j; i < p.shape(0); ++i) m.add(static_cast<double>(p(i, j)));
    return m.mean();
}

/// What `bos_mass` is when every query spreads its weight evenly over the keys it sees: mean of 1/(i+1), i = 1..T-1.
inline double uniform_bos_mass(index_t length) {
    running_mean m;
    for (index_t i = 1; i < length; ++i) m.add(1 / static_cast<double>(i + 1));
    return m.mean();
}

}  // namespace attnlab
