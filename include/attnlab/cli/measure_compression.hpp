#pragma once
#include <vector>

#include <attnlab/analysis/compression.hpp>
#include <attnlab/analysis/results.hpp>
#include <attnlab/cli/any_model.hpp>
#include <attnlab/cli/evaluation_batches.hpp>

/// \file
/// What quantisation and pruning cost a model on its evaluation sequences.

namespace attnlab {

/// Mean loss of the batches, nats per token, with the Linears of the blocks compressed; afterwards the model is as before.
inline double loss_under(compression const& c, any_model& model, std::vector<evaluation_batch> const& batches) {
    compressed_weights const weights(model.linear_weights(), c);
    quantised_inputs inputs(c.activation_bits);
    double sum = 0;
    for (auto const& b : batches) sum += c.activation_bits ? model.loss(*b.x, *b.y, inputs) : model.loss(*b.x, *b.y);
    return sum / static_cast<double>(batches.size());
}

/// Appends the change of the loss under each compression, at `step`.
inline void add_compressions(results& rows, any_model& model, data_source const& data, run_settings const& s, index_t step) {
    auto const batches = evaluation_batches(data, s);
    double const before = loss_under({}, model, batches);
    for (auto const& c : compressions())
        rows.add(s.policy, static_cast<int>(s.seed), step, {"compression." + c.name}, loss_under(c, model, batches) - before);
}

}  // namespace attnlab
