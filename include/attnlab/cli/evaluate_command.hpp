#pragma once
#include <cstdint>
#include <filesystem>
#include <iostream>

#include <attnlab/analysis/metrics.hpp>
#include <attnlab/analysis/results_json.hpp>
#include <attnlab/cli/measure_run.hpp>
#include <attnlab/cli/open_checkpoint.hpp>
#include <attnlab/io/progress.hpp>

/// \file
/// `attnlab evaluate`: a checkpoint's loss, and all measures of sinks and outliers, on its evaluation sequences.

namespace attnlab {

/// \param as_json print every row instead of the few lines for people
/// \param quiet   no progress on a terminal
inline void evaluate_command(experiment const& e, checkpoint_run const& run, std::filesystem::path const& path, bool as_json, bool quiet) {
    auto const& s = run.settings;
    open_checkpoint const opened(e, run, path);
    results rows;
    progress shown("evaluating " + s.policy, static_cast<std::uint64_t>(s.eval_sequences), "sequences", answer_progress(quiet));
    auto const found = measure_model(*opened.model, opened.data, s, run.state.iteration, rows, &shown);
    shown.finish();
    if (as_json) {
        json all = json::array();
        for (auto const& r : rows) all.push_back(to_json(r));
        std::cout << all.dump(2) << '\n';
        return;
    }
    std::cout << s.policy << ", step " << run.state.iteration << ", " << plural(s.eval_sequences, "sequence") << " of " << s.model.block_size
              << ", T of formulas: " << s.length << "\nloss " << found.loss.mean << " nats per token, standard error " << found.loss.standard_error << " over sequences\n";
    if (found.score) std::cout << "excess over the entropy floor " << found.score->excess() << " nats per token\n";
    for (auto const* name : {"bos_mass", "sink_rate", "value_ratio", "sinks_and_drains"})
        if (auto const value = rows.find({.metric = name, .layer = whole, .head = whole})) {
            auto const& about = *find_metric(name);
            std::cout << name << ' ' << *value << (about.unit.empty() ? "" : " ") << about.unit << ": " << about.definition << '\n';
        }
}

}  // namespace attnlab
