#pragma once
#include <filesystem>
#include <iostream>
#include <utility>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/cli/measure_compression.hpp>
#include <attnlab/cli/open_checkpoint.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// `attnlab compress`: what quantisation and pruning cost a checkpoint, on its evaluation sequences or on those of another text.

namespace attnlab {

/// \param as_json print everything as JSON instead of a table
inline void compress_command(experiment const& e, checkpoint_run const& run, std::filesystem::path const& path, bool as_json) {
    auto const& s = run.settings;
    open_checkpoint const opened(e, run, path);
    auto& model = *opened.model;
    auto const batches = evaluation_batches(opened.data, s);
    auto const sequences = static_cast<index_t>(batches.size()) * batches.front().x.shape(0);
    double const before = loss_under({}, model, batches);
    std::vector<std::pair<compression, double>> after;
    for (auto const& c : compressions()) after.emplace_back(c, loss_under(c, model, batches));

    if (as_json) {
        json out{{"policy", s.policy}, {"step", run.state.iteration}, {"eval_sequences", sequences}, {"loss", json_number(before)}};
        for (auto const& [c, loss] : after)
            out["compressions"].push_back({{"name", c.name}, {"weight_bits", c.weight_bits}, {"activation_bits", c.activation_bits}, {"pruned", c.pruned},
                                           {"loss", json_number(loss)}, {"change", json_number(loss - before)}});
        std::cout << out.dump(2) << '\n';
        return;
    }
    table t{text(s.policy, ", step ", run.state.iteration, ", ", sequences, " sequences of ", s.model.block_size, "; loss in nats per token"),
            {"Linears of the blocks", "loss", "change"}};
    t.add({"as trained", number(before, 4), ""});
    for (auto const& [c, loss] : after) t.add({c.name, number(loss, 4), number(loss - before, 4)});
    std::cout << to_text(t);
}

}  // namespace attnlab
