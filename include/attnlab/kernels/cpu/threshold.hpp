#pragma once
#include <cmath>
#include <vector>

#include <attnlab/kernels/cpu/weigh_rows.hpp>
#include <attnlab/kernels/threshold_search.hpp>

namespace attnlab::detail {

/// The threshold of row r, less its largest score m: the t at which sum_j share(s_ij - m - t) = 1.
template <class Weigher>
float solve_threshold(Weigher const& weigh, float const* scores, std::vector<tile_keys> const& tiles, index_t r, float m) {
    if (!std::isfinite(m)) return m;  // no key, or a NaN that the weights will show
    threshold_search search;
    while (!search.done) {
        float sum = -1, slope = 0;
        for (std::size_t k = 0; k < tiles.size(); ++k) {
            auto const seen = tiles[k].seen_by(r);
            if (!seen) continue;
            auto const [part, d] = weigh.sum_of_weights(scores + (static_cast<index_t>(k) * tile_rows + r) * tile_columns, seen,
                                                        tiles[k].padded(), m, search.t);
            sum += part, slope += d;
        }
        search.step(sum, slope);
    }
    return search.t;
}

}  // namespace attnlab::detail
