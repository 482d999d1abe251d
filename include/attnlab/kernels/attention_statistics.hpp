#pragma once
#include <algorithm>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>

namespace attnlab {

/// What a forward pass tells of its weights w_ij without a (T, T) array: by-products of the tiles, O(T) numbers a head. Weights are
/// those over the real keys; what a learned slot takes is taken off.
template <class S>
struct attention_statistics {
    std::vector<index_t> keys;      ///< asked for: the keys whose columns are kept
    tensor<S, 3> column_sums;       ///< (B, H, T): sum_i w_ij of key j, added up in double
    tensor<S, 3> entropy;           ///< (B, H, T): -sum_j w_ij log w_ij of query i, in nats; of a weight of 0, 0
    tensor<S, 3> largest_score;     ///< (B, H, T): max_j s_ij of query i; -infinity where it sees no key
    tensor<S, 4> columns;           ///< (B, H, keys, T): w_ij of the keys asked for, by query

    /// Makes room. \throws error for a key outside the sequence
    void resize(index_t B, index_t H, index_t T) {
        for (index_t const j : keys) require(0 <= j && j < T, "attention_statistics: key ", j, ": expected 0 to ", T - 1);
        column_sums.resize({B, H, T});
        entropy.resize({B, H, T});
        largest_score.resize({B, H, T});
        columns.resize({B, H, static_cast<index_t>(keys.size()), T});
    }

    /// The keys of head h of sequence b with the largest column sums, the largest first.
    std::vector<index_t> top_columns(index_t b, index_t h, index_t count) const {
        std::vector<index_t> order(static_cast<std::size_t>(column_sums.shape(2)));
        for (std::size_t j = 0; j < order.size(); ++j) order[j] = static_cast<index_t>(j);
        auto const middle = order.begin() + std::clamp<index_t>(count, 0, column_sums.shape(2));
        std::partial_sort(order.begin(), middle, order.end(),
                          [&](index_t i, index_t j) { return column_sums(b, h, i) > column_sums(b, h, j); });
        order.erase(middle, order.end());
        return order;
    }
};

}  // namespace attnlab
