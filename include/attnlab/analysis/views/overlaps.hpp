#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <attnlab/analysis/outliers/overlap.hpp>
#include <attnlab/analysis/views/survey.hpp>
#include <attnlab/analysis/views/weight_survey.hpp>

/// \file
/// The paper's claim that its three kinds of outliers are one, which its code never computes: how far the sets coincide, against
/// chance.

namespace attnlab {

/// Two sets of outliers held against each other, over all sequences.
struct claimed_overlap {
    std::string name, claim;
    overlap_pair found;
};

struct overlap_result {
    /// Of the first sequence, layer by layer: IoU of the tokens that are activation outliers of a layer's output and the keys
    /// that are attention outliers in the same layer; absent where both are empty.
    std::vector<std::optional<double>> by_layer;
    std::vector<claimed_overlap> claims;
};

/// \param furthest  tokens are held against the keys of the same layer up to those so many layers later
inline overlap_result find_overlaps(survey const& s, weight_survey const& w, index_t furthest = 2) {
    overlap_result out;
    auto const stream = s.layer_out().outliers();
    auto const keys = s.attention().outliers().rename<axis::key, axis::token>();
    auto const tokens = stream.project<axis::sequence, axis::layer, axis::token>();
    for (auto const& [l, seen] : s.layer_out().layers()) {
        auto const here = [l = l](auto const& set) {
            return set.template restrict<axis::layer>(l, l + 1).template restrict<axis::sequence>(0, 1);
        };
        out.by_layer.push_back(overlap(here(tokens), here(keys)).iou);
    }
    for (index_t k = 0; k <= furthest && k < static_cast<index_t>(s.layer_out().layers().size()); ++k)
        out.claims.push_back(
            {text("tokens_are_keys_", k, "_later"),
             k == 0 ? std::string("tokens with outliers in a layer's output are keys with outlying attention in the same layer")
                    : text("tokens with outliers are keys with outlying attention ", k, k == 1 ? " layer" : " layers", " later"),
             overlaps(tokens, keys, {.layer_offset = k})});
    out.claims.push_back({"tokens_are_keys_in_any_layer",
                          "tokens with outliers in any layer are keys with outlying attention in any layer",
                          overlaps(tokens.project<axis::sequence, axis::token>(), keys.project<axis::sequence, axis::token>())});
    if (!w.outliers) return out;
    auto const rows = w.outliers->project<axis::layer, axis::row>().rename<axis::row, axis::channel>();
    auto const columns = w.outliers->project<axis::layer, axis::column>().rename<axis::column, axis::neuron>();
    out.claims.push_back(
        {"rows_are_channels",
         "rows with outlying weights in the down projection are channels with outliers in the same layer's output",
         overlaps(rows, stream.project<axis::layer, axis::channel>())});
    out.claims.push_back({"rows_are_channels_in_any_layer",
                          "rows with outlying weights are channels with outliers, whatever the layers",
                          overlaps(rows.project<axis::channel>(), stream.project<axis::channel>())});
    if (s.down_in().empty()) return out;
    auto const inner = s.down_in().outliers();
    out.claims.push_back({"columns_are_neurons",
                          "columns with outlying weights are neurons with outliers in what the down projection reads",
                          overlaps(columns, inner.project<axis::layer, axis::neuron>())});
    out.claims.push_back({"columns_are_neurons_in_any_layer",
                          "columns with outlying weights are neurons with outliers, whatever the layers",
                          overlaps(columns.project<axis::neuron>(), inner.project<axis::neuron>())});
    return out;
}

}  // namespace attnlab
