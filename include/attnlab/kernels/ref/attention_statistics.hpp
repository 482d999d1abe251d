#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include <attnlab/kernels/attention_statistics.hpp>
#include <attnlab/kernels/pattern.hpp>
#include <attnlab/kernels/ref/attention.hpp>

namespace attnlab {

/// As attention_forward; the statistics by their definitions, from the whole pattern.
template <class Policy>
void attention_forward(ref device, attention_problem<double> const& p, attention_saved<double>& saved, heads<double> y,
                       attention_statistics<double>& statistics) {
    attention_forward<Policy>(device, p, saved, y);
    statistics.resize(p.B, p.H, p.T);
    statistics.column_sums.fill(0);
    tensor<double, 3> slot({p.B, p.H, p.T}), gate({p.B, p.H, p.T});
    tensor<double, 4> pattern({p.B, p.H, p.T, p.T});
    attention_gates<Policy, double>(p, saved, saved.template weighted_values<Policy>(p, y), slot, gate);
    attention_pattern<Policy, double>(p, saved, slot, pattern);
    for (index_t b = 0; b < p.B; ++b)
        for (index_t h = 0; h < p.H; ++h) {
            auto const head = detail::run_head<Policy>(p, b, h);
            for (index_t i = 0; i < p.T; ++i) {
                double entropy = 0, largest = -std::numeric_limits<double>::infinity();
                p.template visible<Policy>(b, i).each([&](index_t j) {
                    double const w = pattern(b, h, i, j);
                    statistics.column_sums(b, h, j) += w;
                    if (w > 0) entropy -= w * std::log(w);
                    largest = std::max(largest, Policy::has_score ? head.scores(i, j) : head.products(i, j));
                });
                statistics.entropy(b, h, i) = entropy;
                statistics.largest_score(b, h, i) = largest;
                for (std::size_t k = 0; k < statistics.keys.size(); ++k)
                    statistics.columns(b, h, static_cast<index_t>(k), i) = pattern(b, h, i, statistics.keys[k]);
            }
        }
}

}  // namespace attnlab
