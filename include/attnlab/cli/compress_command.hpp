#pragma once
#include <filesystem>
#include <iostream>
#include <utility>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/cli/measure_compression.hpp>
#include <attnlab/cli/open_checkpoint.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/progress.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// `attnlab compress`: what quantisation and pruning cost a checkpoint, on its evaluation sequences or on those of another text.

namespace attnlab {

/// \param as_json print everything as JSON instead of a table
/// \param quiet   no progress on a terminal
inline void compress_command(experiment const& e, checkpoint_run const& run, std::filesystem::path const& path, bool as_json, bool quiet) {
    auto const& s = run.settings;
    open_checkpoint const opened(e, run, path);
    auto& model = *opened.model;
    auto const batches = evaluation_batches(opened.data, s);
    auto const sequences = static_cast<index_t>(batches.size()) * batches.front().x.shape(0);
    progress shown("compressing " + s.policy, compressions().size() + 1, "passes", answer_progress(quiet));
    auto const loss = [&](compression const& c) {
        double const found = loss_under(c, model, batches);
        shown.advance();
        return found;
    };
    double const before = loss({});
    std::vector<std::pair<compression, double>> after;
    for (auto const& c : compressions()) after.emplace_back(c, loss(c));
    shown.finish();

    if (as_json) {
        json out{{"policy", s.policy}, {"step", run.state.iteration}, {"eval_sequences", sequences}, {"loss", json_number(before)}};
        for (auto const& [c, found] : after)
            out["compressions"].push_back({{"name", c.name}, {"weight_bits", c.weight_bits}, {"activation_bits", c.activation_bits}, {"pruned", c.pruned},
                                           {"loss", json_number(found)}, {"change", json_number(found - before)}});
        std::cout << out.dump(2) << '\n';
        return;
    }
    table t{text(s.policy, ", step ", run.state.iteration, ", ", sequences, " sequences of ", s.model.block_size, "; loss in nats per token"),
            {"Linears of the blocks", "loss", "change"}};
    t.add({"as trained", number(before, 4), ""});
    for (auto const& [c, found] : after) t.add({c.name, number(found, 4), number(found - before, 4)});
    std::cout << to_text(t);
}

}  // namespace attnlab
