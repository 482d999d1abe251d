#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include <attnlab/analysis/assignment.hpp>
#include <attnlab/analysis/metrics.hpp>
#include <attnlab/analysis/scale_sample.hpp>
#include <attnlab/core/rng.hpp>

/// \file
/// Do the implicit scales of one model go with the explicit ones of another? Heads have no common order, so they are matched, and a match
/// of many with many is never zero by chance: the same is done with the sequences of one side in another order, which keeps what a head does
/// at each position and breaks what it does for each context.

namespace attnlab {

struct scale_match {
    double correlation = 0;   ///< mean over matched pairs of heads
    double chance = 0;        ///< the same over other orders of the sequences, each matched anew: their mean
    double p = 1;             ///< (1 + orders that reach `correlation`) / (1 + orders)
    std::vector<std::pair<index_t, index_t>> pairs;   ///< implicit head, explicit head; both layer * H + head
};

namespace detail {

/// Heads' scales over queries 1 .. T - 1 of N sequences, each with mean 0 and norm 1; all zero where a scale never moves.
struct standard_scales {
    std::vector<index_t> heads;
    std::size_t sequences, queries;
    std::vector<std::vector<double>> values;   // (heads) of (N, T - 1)

    standard_scales(tensor<float, 4> const& x, std::vector<index_t> which)
        : heads(std::move(which)), sequences(static_cast<std::size_t>(x.shape(0))), queries(static_cast<std::size_t>(x.shape(3) - 1)) {
        for (index_t head : heads) {
            std::vector<double> v;
            for (index_t n = 0; n < x.shape(0); ++n)
                for (index_t i = 1; i < x.shape(3); ++i) v.push_back(static_cast<double>(x(n, head / x.shape(2), head % x.shape(2), i)));
            double const mean = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
            double square = 0;
            for (double& e : v) e -= mean, square += e * e;
            double const by = square > 1e-12 * static_cast<double>(v.size()) ? 1 / std::sqrt(square) : 0;
            for (double& e : v) e *= by;
            values.push_back(std::move(v));
        }
    }
};

/// Correlations (a, b), sequence n of `a` held against sequence order[n] of `b`.
inline std::vector<double> correlations(standard_scales const& a, standard_scales const& b, std::vector<std::size_t> const& order) {
    std::vector<double> out;
    for (auto const& x : a.values)
        for (auto const& y : b.values) {
            double sums[8] = {};   // side by side, so that they are summed at once
            for (std::size_t n = 0; n < order.size(); ++n) {
                double const *p = &x[n * a.queries], *q = &y[order[n] * a.queries];
                std::size_t i = 0;
                for (; i + 8 <= a.queries; i += 8)
                    for (std::size_t k = 0; k < 8; ++k) sums[k] += p[i + k] * q[i + k];
                for (; i < a.queries; ++i) sums[0] += p[i] * q[i];
            }
            out.push_back(std::accumulate(std::begin(sums), std::end(sums), 0.0));
        }
    return out;
}

}  // namespace detail

/// The heads whose mean weight on the first key, over queries after it, passes `sink_threshold`; each as layer * H + head.
inline std::vector<index_t> sinks_of(scale_sample const& s) {
    std::vector<index_t> out;
    auto const& x = s.implicit;
    for (index_t l = 0; l < x.shape(1); ++l)
        for (index_t h = 0; h < x.shape(2); ++h) {
            double sum = 0;
            for (index_t n = 0; n < x.shape(0); ++n)
                for (index_t i = 1; i < x.shape(3); ++i) sum += 1 - static_cast<double>(x(n, l, h, i));
            if (sum / static_cast<double>(x.shape(0) * (x.shape(3) - 1)) > sink_threshold) out.push_back(l * x.shape(2) + h);
        }
    return out;
}

/// Matches the heads `which` of `implicit` with the gates of `explicit_`, on the same tokens. No heads: no pairs.
/// \throws error when the tokens differ, or there are more heads than gates
inline scale_match match_scales(scale_sample const& implicit, std::vector<index_t> which, scale_sample const& explicit_, std::size_t orders = 100) {
    require(implicit.tokens == explicit_.tokens && implicit.implicit.shape(0) == explicit_.gates.shape(0), "scales of ", implicit.policy, " and ",
            explicit_.policy, ": expected the same sequences");
    scale_match out;
    if (which.empty()) return out;
    std::vector<index_t> all(static_cast<std::size_t>(explicit_.gates.shape(1) * explicit_.gates.shape(2)));
    std::iota(all.begin(), all.end(), index_t{0});
    detail::standard_scales const a(implicit.implicit, std::move(which)), b(explicit_.gates, std::move(all));
    auto const matched = [&](std::vector<std::size_t> const& order, auto use) {
        auto const r = detail::correlations(a, b, order);
        auto const columns = best_assignment(r, a.heads.size(), b.heads.size());
        double sum = 0;
        for (std::size_t i = 0; i < columns.size(); ++i) sum += r[i * b.heads.size() + columns[i]], use(i, columns[i]);
        return sum / static_cast<double>(columns.size());
    };
    std::vector<std::size_t> order(a.sequences);
    std::iota(order.begin(), order.end(), std::size_t{0});
    out.correlation = matched(order, [&](std::size_t i, std::size_t j) { out.pairs.emplace_back(a.heads[i], b.heads[j]); });
    double sum = 0;
    std::size_t reached = 0;
    for (std::uint64_t k = 0; k < orders; ++k) {
        auto const key = rng::stream(k, "order of sequences");
        for (std::size_t n = order.size(); n > 1; --n)   // Fisher and Yates
            std::swap(order[n - 1], order[static_cast<std::size_t>(rng::uniform(key, n) * static_cast<double>(n))]);
        double const r = matched(order, [](std::size_t, std::size_t) {});
        sum += r, reached += r >= out.correlation;
    }
    out.chance = sum / static_cast<double>(orders);
    out.p = static_cast<double>(1 + reached) / static_cast<double>(1 + orders);
    return out;
}

}  // namespace attnlab
