#pragma once
#include <cmath>
#include <vector>

#include <attnlab/kernels/cpu/weigh_rows.hpp>

namespace attnlab::detail {

/// The threshold of row r, less its largest score m: the t at which sum_j share(s_ij - m - t) = 1. The sum falls as t rises; a
/// bracket grows until it holds the crossing, Newton's steps that leave the bracket become bisections.
template <class Weigher>
float solve_threshold(Weigher const& weigh, float const* scores, std::vector<tile_keys> const& tiles, index_t r, float m) {
    auto const excess = [&](float t) {
        float sum = -1, slope = 0;
        for (std::size_t k = 0; k < tiles.size(); ++k) {
            auto const seen = tiles[k].seen_by(r);
            if (!seen) continue;
            auto const [part, d] = weigh.sum_of_weights(scores + (static_cast<index_t>(k) * tile_rows + r) * tile_columns, seen,
                                                        tiles[k].padded(), m, t);
            sum += part, slope += d;
        }
        return std::pair{sum, slope};
    };
    if (!std::isfinite(m)) return m;  // no key, or a NaN that the weights will show
    float low = -1, high = 0;
    while (low > -1e30f && excess(low).first < 0) high = low, low *= 2;
    while (high < 1e30f && excess(high).first > 0) low = high, high = high < 1 ? 1 : 2 * high;
    float t = low;
    for (int step = 0; step < 60; ++step) {
        auto const [f, slope] = excess(t);
        (f > 0 ? low : high) = t;
        float next = t - f / slope;
        if (!(next > low && next < high)) next = 0.5f * (low + high);
        if (next == t || std::abs(f) < 1e-7f) break;
        t = next;
    }
    return t;
}

}  // namespace attnlab::detail
