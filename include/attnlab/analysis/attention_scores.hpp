#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <attnlab/analysis/metrics.hpp>
#include <attnlab/analysis/scores.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// Scores of attention: weights P or scores S of one head (rows = queries, columns = keys), causal. What lies above the diagonal
/// is not looked at; numbers that are not finite are left out, and counted where a class has a place to count them.

namespace attnlab {

/// Mean weight on key j over the queries from `first` on.
template <class T>
double column_share(view<T const, 2> p, index_t j, index_t first) {
    running_mean m;
    for (index_t i = first; i < p.shape(0); ++i)
        if (std::isfinite(p(i, j))) m.add(static_cast<double>(p(i, j)));
    return m.mean();
}

/// Mean weight on key 0 over queries 1..T-1; NaN for T = 1.
template <class T>
double bos_mass(view<T const, 2> p) {
    return column_share(p, 0, 1);
}

/// alpha_j = 1/(T-j) sum_{i>=j} P[i,j] (Gu et al. 2410.10781).
template <class T>
double sink_score(view<T const, 2> p, index_t j = 0) {
    return column_share(p, j, j);
}

/// What `bos_mass` is when every query spreads its weight evenly over the keys it sees: mean of 1/(i+1), i = 1..T-1.
inline double uniform_bos_mass(index_t length) {
    running_mean m;
    for (index_t i = 1; i < length; ++i) m.add(1 / static_cast<double>(i + 1));
    return m.mean();
}

/// Column sums of one head's weights: all that the rules of attention keep, O(T).
class attention_column_sums : public tally {
public:
    attention_column_sums() = default;
    /// From sums over all queries of a sequence, as a fused kernel or a file has them.
    template <class T>
    explicit attention_column_sums(view<T const, 1> sums) {
        for (T s : sums) sums_.push_back(keep(static_cast<double>(s)) ? static_cast<double>(s) : 0);
    }

    /// Rows (queries) `first`, `first` + 1, ... of a sequence. A query may come alone: tiles, threads and ranks merge.
    /// \param absolute  |P[i,j]| over the row's sum of them, for weights with a sign (Attention-Sink#1)
    template <class T>
    void add(view<T const, 2> p, bool absolute = false, index_t first = 0) {
        sums_.resize(std::max(sums_.size(), static_cast<std::size_t>(std::min(first + p.shape(0), p.shape(1)))));
        for (index_t i = 0; i < p.shape(0); ++i) {
            index_t const visible = std::min(first + i + 1, p.shape(1));
            double whole = absolute ? 0 : 1;
            for (index_t j = 0; absolute && j < visible; ++j)
                if (std::isfinite(p(i, j))) whole += std::abs(static_cast<double>(p(i, j)));
            for (index_t j = 0; j < visible; ++j) {
                double const x = static_cast<double>(p(i, j));
                if (keep(x) && whole > 0) sums_[static_cast<std::size_t>(j)] += (absolute ? std::abs(x) : x) / whole;
            }
        }
    }
    void merge(attention_column_sums const& o) {
        sums_.resize(std::max(sums_.size(), o.sums_.size()));
        for (std::size_t j = 0; j < o.sums_.size(); ++j) sums_[j] += o.sums_[j];
        tally::merge(o);
    }

    index_t length() const { return static_cast<index_t>(sums_.size()); }
    double sum(index_t j) const { return sums_[static_cast<std::size_t>(j)]; }
    /// sum / (T-j), the queries that see key j: alpha_j of Gu et al.
    double share(index_t j) const { return sum(j) / static_cast<double>(length() - j); }

private:
    std::vector<double> sums_;
};

/// Largest score of a head over the keys that each query sees (QK-clip). Masked keys (-inf) do not count; NaN when all are.
template <class T>
double max_logit(view<T const, 2> s) {
    double largest = std::numeric_limits<double>::quiet_NaN();
    for (index_t i = 0; i < s.shape(0); ++i)
        for (index_t j = 0; j <= i && j < s.shape(1); ++j)
            if (double const x = static_cast<double>(s(i, j)); std::isfinite(x) && !(x <= largest)) largest = x;
    return largest;
}

/// S[i,sink] - mean_{j != sink} S[i,j], mean over the queries after the sink that are no triggers (Guo et al. 2410.13835).
/// \param triggers  nonzero for queries to leave out; empty: none
template <class T>
double sink_logit_gap(view<T const, 2> s, index_t sink = 0, std::span<std::uint8_t const> triggers = {}) {
    require(triggers.empty() || static_cast<index_t>(triggers.size()) == s.shape(0), "sink logit gap: triggers: expected ",
            s.shape(0), ", got ", triggers.size());
    running_mean gap;
    for (index_t i = sink + (sink == 0); i < s.shape(0); ++i) {
        if (!triggers.empty() && triggers[static_cast<std::size_t>(i)]) continue;
        running_mean others;
        for (index_t j = 0; j <= i; ++j)
            if (j != sink && std::isfinite(s(i, j))) others.add(static_cast<double>(s(i, j)));
        if (others.count() > 0 && std::isfinite(s(i, sink))) gap.add(static_cast<double>(s(i, sink)) - others.mean());
    }
    return gap.mean();
}

/// The weights of any number of layers, heads and sequences, pooled: every (layer, head, sequence) counts once.
class attention_scores : public tally {
public:
    /// \param eps      of the sink rate (2410.10781)
    /// \param dormant  a head is dormant on an input whose mean weight on the sink passes this. Ours: 2410.13835 names no number
    explicit attention_scores(index_t sink = 0, double eps = sink_threshold, double dormant = 0.5)
        : at_(sink), eps_(eps), theta_(dormant) {}

    /// The heads of one sequence in one layer, (H,T,T).
    template <class T>
    void add(view<T const, 3> p) {
        for (index_t h = 0; h < p.shape(0); ++h) {
            auto const head = p[h];
            for (index_t i = 0; i < head.shape(0); ++i) add_row(head, i);
            if (at_ >= head.shape(1)) continue;
            if (double const alpha = sink_score(head, at_); std::isfinite(alpha))
                sinks_.add(alpha > eps_), dormant_.add(alpha > theta_);
        }
    }
    void merge(attention_scores const& o) {
        tally::merge(o);
        sinks_.merge(o.sinks_), dormant_.merge(o.dormant_), share_.merge(o.share_), entropy_.merge(o.entropy_),
            even_.merge(o.even_);
    }

    /// 100 mean_{l,h} 1[alpha_sink > eps], in percent (2410.10781).
    double sink_rate() const { return 100 * sinks_.mean(); }
    /// mean_{l,h,i>sink} P[i,sink] (2505.06708, F-Attn).
    double first_token_share() const { return share_.mean(); }
    /// Share of (head, input) that are dormant (2410.13835).
    double dormant_share() const { return dormant_.mean(); }
    /// Mean over queries of -sum_j P log P, nats.
    double entropy() const { return entropy_.mean(); }
    /// The same over log(i+1), its largest value, for queries i > 0: from 0 to 1.
    double entropy_share() const { return even_.mean(); }

private:
    template <class T>
    void add_row(view<T const, 2> p, index_t i) {
        double entropy = 0;
        bool whole = true;
        for (index_t j = 0; j <= i && j < p.shape(1); ++j) {
            double const x = static_cast<double>(p(i, j));
            if (!keep(x)) whole = false;
            else if (x > 0) entropy -= x * std::log(x);
        }
        if (whole) entropy_.add(entropy);
        if (whole && i > 0) even_.add(entropy / std::log(static_cast<double>(i + 1)));
        if (i > at_ && std::isfinite(p(i, at_))) share_.add(static_cast<double>(p(i, at_)));
    }

    index_t at_;
    double eps_, theta_;
    running_mean sinks_, dormant_, share_, entropy_, even_;
};

}  // namespace attnlab
