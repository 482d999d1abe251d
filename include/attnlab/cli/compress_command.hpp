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
    progress shown("compressing " + s.policy, compressions().size() + 1, "passes", answer_progress(quiet));
    auto const loss = [&](compression const& c) {
        auto const found = loss_under(c, model, batches);
        shown.advance();
        return found;
    };
    auto const before = loss({});
    std::vector<std::pair<compression, estimate>> after;
    for (auto const& c : compressions()) after.emplace_back(c, loss(c));
    shown.finish();

    if (as_json) {
        json out{{"policy", s.policy}, {"step", run.state.iteration}, {"eval_sequences", s.eval_sequences}, {"loss", json_number(before.mean)}, {"standard_error", json_number(before.standard_error)}};
        for (auto const& [c, found] : after)
            out["compressions"].push_back({{"name", c.name}, {"weight_bits", c.weight_bits}, {"activation_bits", c.activation_bits}, {"pruned", c.pruned},
                                           {"loss", json_number(found.mean)}, {"standard_error", json_number(found.standard_error)}, {"change", json_number(found.mean - before.mean)}});
        std::cout << out.dump(2) << '\n';
        return;
    }
    table t{text(s.policy, ", step ", run.state.iteration, ", ", plural(s.eval_sequences, "sequence"), " of ", s.model.block_size, "; loss in nats per token"),
            {"Linears of the blocks", "loss", "standard error", "change"}};
    t.add({"as trained", number(before.mean, 4), number(before.standard_error, 4), ""});
    for (auto const& [c, found] : after) t.add({c.name, number(found.mean, 4), number(found.standard_error, 4), number(found.mean - before.mean, 4)});
    std::cout << to_text(t);
}

}  // namespace attnlab
