#pragma once
#include <utility>
#include <vector>

#include <attnlab/analysis/compression.hpp>
#include <attnlab/analysis/estimate.hpp>
#include <attnlab/analysis/results.hpp>
#include <attnlab/cli/any_model.hpp>
#include <attnlab/cli/evaluation_batches.hpp>

/// \file
/// What quantisation and pruning cost a model on its evaluation sequences.

namespace attnlab {

/// Losses of the batches, nats per token, with the Linears of the blocks compressed; afterwards the model is as before.
inline estimate loss_under(compression const& c, any_model& model, std::vector<evaluation_batch> const& batches) {
    compressed_weights const weights(model.linear_weights(), c);
    quantised_inputs inputs(c.activation_bits);
    std::vector<double> losses;
    for (auto const& b : batches) losses.push_back(c.activation_bits ? model.loss(*b.x, *b.y, inputs) : model.loss(*b.x, *b.y));
    return mean_loss(std::move(losses));
}

/// Appends the change of the loss under each compression, at `step`.
inline void add_compressions(results& rows, any_model& model, data_source const& data, run_settings const& s, index_t step) {
    auto const batches = evaluation_batches(data, s);
    double const before = loss_under({}, model, batches).mean;
    for (auto const& c : compressions())
        rows.add(s.policy, static_cast<int>(s.seed), step, {"compression." + c.name}, loss_under(c, model, batches).mean - before);
}

}  // namespace attnlab
