#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <attnlab/analysis/selection.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// Scores of one matrix: hidden states (rows = tokens, columns = channels) or values (rows = keys). Sums are double; values that
/// are not finite are counted and left out. Attention weights: attention_scores.hpp; many sequences: hidden_scores.hpp,
/// stream_scores.hpp.

namespace attnlab {

/// `use(row, column, value)` for every finite number of a matrix.
template <class T, class Use>
void each_finite(view<T const, 2> x, Use&& use) {
    for (index_t i = 0; i < x.shape(0); ++i) {
        T const* row = x.data() + i * x.shape(1);
        for (index_t j = 0; j < x.shape(1); ++j)
            if (double const value = static_cast<double>(row[j]); std::isfinite(value)) use(i, j, value);
    }
}

/// How many numbers a reducer was shown. NaN and infinities are counted, and left out of everything else.
struct tally {
    std::int64_t values = 0, not_finite = 0;

    /// Counts x. Whether it is a finite number.
    bool keep(double x) {
        bool const finite = std::isfinite(x);
        ++(finite ? values : not_finite);
        return finite;
    }
    /// `use(row, column, value)` for every finite number of a matrix; counts all.
    template <class T, class Use>
    void see(view<T const, 2> x, Use&& use) {
        auto const before = values;
        each_finite(x, [&](index_t i, index_t j, double value) { ++values, use(i, j, value); });
        not_finite += x.size() - (values - before);
    }
    void merge(tally const& o) { values += o.values, not_finite += o.not_finite; }
};

/// The finite |x|, in order.
template <class T>
std::vector<T> finite_magnitudes(std::span<T const> x) {
    std::vector<T> out;
    out.reserve(x.size());
    for (T v : x)
        if (std::isfinite(v)) out.push_back(std::abs(v));
    return out;
}

template <class T, std::size_t N>
std::vector<T> finite_magnitudes(view<T const, N> x) {
    return finite_magnitudes(std::span<T const>(x.data(), static_cast<std::size_t>(x.size())));
}

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
    top_k top(3);
    for (T v : x) {
        m.power.add(static_cast<double>(v));
        if (std::isfinite(v)) top.add(std::abs(static_cast<double>(v)));
    }
    m.median = lower_median_magnitude(x);
    auto const largest = top.values();
    if (largest.size() > 0) m.top1 = largest[0];
    if (largest.size() > 1) m.top2 = largest[1];
    if (largest.size() > 2) m.top3 = largest[2];
    return m;
}

template <class T, std::size_t N>
magnitudes magnitudes_of(view<T const, N> x) {
    return magnitudes_of(std::span<T const>(x.data(), static_cast<std::size_t>(x.size())));
}

/// Euclidean norm of a row.
template <class T>
double norm(view<T, 1> row) {
    double sum = 0;
    for (T x : row) sum += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(sum);
}

/// The norm of one row (the sink's) against the other rows' mean norm, pooled over the matrices added. Over hidden states it is
/// the residual peak, over the values of a head the value drain (Guo et al. 2410.13835).
class row_against_rest {
public:
    explicit row_against_rest(index_t row = 0) : row_(row) {}

    template <class T>
    void add(view<T const, 2> rows) {
        for (index_t t = 0; t < rows.shape(0); ++t) {
            double const n = norm(rows[t]);
            if (!std::isfinite(n)) ++not_finite_;
            else (t == row_ ? one_ : rest_).add(n);
        }
    }
    void merge(row_against_rest const& o) {
        one_.merge(o.one_), rest_.merge(o.rest_);
        not_finite_ += o.not_finite_;
    }
    /// NaN with a single row.
    double ratio() const { return one_.mean() / rest_.mean(); }
    std::int64_t not_finite() const { return not_finite_; }

private:
    index_t row_;
    running_mean one_, rest_;
    std::int64_t not_finite_ = 0;
};

/// norm(h_sink) / mean_{t != sink} norm(h_t) of one sequence (T,C).
template <class T>
double residual_peak(view<T const, 2> h, index_t sink = 0) {
    row_against_rest f(sink);
    f.add(h);
    return f.ratio();
}

/// norm(v_sink) / mean_{j != sink} norm(v_j) of one head (T,D).
template <class T>
double value_ratio(view<T const, 2> v, index_t sink = 0) {
    return residual_peak(v, sink);
}

/// Tokens with max_c |h[t,c]| > factor * mean_abs; h is (T,C). The tokens of rule mean_ratio, where only their number is asked.
template <class T>
index_t outlier_tokens(view<T const, 2> h, double factor, double mean_abs) {
    index_t count = 0, last = -1;
    each_finite(h, [&](index_t t, index_t, double x) {
        if (t != last && std::abs(x) > factor * mean_abs) ++count, last = t;
    });
    return count;
}
template <class T>
index_t outlier_tokens(view<T const, 2> h, double factor) {
    moments m;
    m.add(h);
    return outlier_tokens(h, factor, m.mean_abs());
}

/// Sums of squares down the columns of matrices of one width, e.g. of each channel over all tokens.
class square_sums : public tally {
public:
    template <class T>
    void add(view<T const, 2> x) {
        grow(static_cast<std::size_t>(x.shape(1)));
        see(x, [&](index_t, index_t c, double v) {
            sums_[static_cast<std::size_t>(c)] += v * v, ++counts_[static_cast<std::size_t>(c)];
        });
    }
    void merge(square_sums const& o) {
        tally::merge(o);
        grow(o.sums_.size());
        for (std::size_t c = 0; c < o.sums_.size(); ++c) sums_[c] += o.sums_[c], counts_[c] += o.counts_[c];
    }
    std::size_t size() const { return sums_.size(); }
    /// Euclidean norm of column c over all rows.
    double norm(std::size_t c) const { return std::sqrt(sums_[c]); }
    double rms(std::size_t c) const { return std::sqrt(sums_[c] / static_cast<double>(counts_[c])); }
    /// r_c^2 = mean_t h^2; mean_c r^4 / (mean_c r^2)^2, from 1 to the number of columns (2405.19279).
    double kurtosis() const {
        moments sizes;
        for (std::size_t c = 0; c < size(); ++c) sizes.add(rms(c));
        return sizes.kurtosis();
    }

private:
    void grow(std::size_t n) {
        if (n > sums_.size()) sums_.resize(n), counts_.resize(n);
    }
    std::vector<double> sums_;
    std::vector<std::int64_t> counts_;
};

/// Kurtosis of the channels' sizes (2405.19279), see `square_sums`. h is (T,C).
template <class T>
double neuron_kurtosis(view<T const, 2> h) {
    square_sums s;
    s.add(h);
    return s.kurtosis();
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

/// max_c |h| / median_c |h| of a token's channels (2405.19279, MMR).
template <class T>
double max_over_median(view<T const, 1> token) {
    double largest = std::numeric_limits<double>::quiet_NaN();
    for (T v : token)
        if (double const a = std::abs(static_cast<double>(v)); std::isfinite(a) && !(a <= largest)) largest = a;
    return largest / lower_median_magnitude(std::span<T const>(token.data(), static_cast<std::size_t>(token.size())));
}

}  // namespace attnlab
