#pragma once
#include <filesystem>
#include <iostream>
#include <utility>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/cli/checkpoint_model.hpp>
#include <attnlab/cli/data_source.hpp>
#include <attnlab/cli/experiment.hpp>
#include <attnlab/cli/measure_compression.hpp>
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
    data_source const data(s, run.code_points);
    if (data.vocabulary_size() != s.model.vocab_size)
        fail("the data has ", data.vocabulary_size(), " tokens: expected ", s.model.vocab_size, ", as the checkpoint was trained with");
    auto const model = e.make_model(s.model);
    load_weights(safetensors_reader(path), model->parameters());
    auto const batches = evaluation_batches(data, s);
    auto const sequences = static_cast<index_t>(batches.size()) * batches.front().x.shape(0);
    progress shown("compressing " + s.policy, compressions().size() + 1, "passes", answer_progress(quiet));
    auto const loss = [&](compression const& c) {
        double const found = loss_under(c, *model, batches);
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
