#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <attnlab/cli/checkpoint_model.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/train/ranks.hpp>
#include <attnlab/train/trainer.hpp>

/// \file
/// `attnlab train --resume`: a run goes on as it was begun. Its checkpoint has all settings; what makes the run what it is (policy, seed,
/// data, model, batches, optimizer) cannot be told anew, or its record would be of two experiments.

namespace attnlab {

/// A run that goes on, as its folder has it.
struct resumed_run {
    std::filesystem::path checkpoint;
    checkpoint_run run;           ///< state: the step it stands at, nothing else
    std::int64_t finished = -1;   ///< steps after which it was measured and run.json written; -1: it has not come to an end

    /// Whether a training to `max_iters` steps has nothing left to do.
    bool has_done(std::int64_t max_iters) const { return run.state.iteration > max_iters || finished >= max_iters; }
};

/// What rank 0 finds in the folder, for all ranks: of the checkpoint and the state saved when it was interrupted, the one further along.
/// How the run was shown is not taken from it. \throws error when there is none
inline resumed_run find_resumed(ranks& all, std::filesystem::path const& out_dir) {
    std::string found;
    all.first_alone([&] {
        std::error_code ignored;
        json best;
        auto const usual = out_dir / "ckpt.safetensors";
        for (auto const& path : {usual, interrupted_checkpoint(usual)}) {
            if (!std::filesystem::exists(path, ignored)) continue;
            auto const state = read_training_state(safetensors_reader(path));
            if (best.is_null() || state.iteration > best["iteration"].get<std::int64_t>())
                best = {{"checkpoint", path.string()}, {"config", state.config}, {"iteration", state.iteration}, {"finished", -1}};
        }
        if (best.is_null()) fail(usual.string(), ": no such file: expected a run to go on with");
        if (auto const end = out_dir / "run.json"; std::filesystem::exists(end, ignored))
            best["finished"] = field<std::int64_t>(parse_json(end), end.string(), "iterations");
        found = best.dump();
    });
    broadcast(all, found);
    json const j = parse_json_text(found, "rank 0");
    resumed_run out;
    out.checkpoint = j["checkpoint"].get<std::string>();
    out.run = read_run_options(j["config"].get<std::string>(), out.checkpoint.string() + ": config");
    out.run.state.iteration = j["iteration"].get<std::int64_t>();
    out.finished = j["finished"].get<std::int64_t>();
    auto& s = out.run.settings;
    run_settings const fresh;
    s.out_dir = out_dir, s.resume = true, s.resume_from = out.checkpoint;
    s.quiet = fresh.quiet, s.progress = fresh.progress, s.train.eval_only = fresh.train.eval_only;
    return out;
}

namespace detail {

template <std::size_t N>
bool is_among(std::string const& name, std::string_view const (&names)[N]) {
    return std::find(names, names + N, name) != names + N;
}

/// How long and how fast it goes on (for more steps, or gentler ones), where it runs (machines differ in what they multiply), what is looked at.
inline constexpr std::string_view may_change[] = {
    "max_iters", "learning_rate", "min_lr", "warmup_iters", "warmup_from_zero", "lr_decay_iters", "decay_lr", "device", "dtype", "recompute", "bucket_mb", "measure",
    "eval_interval", "eval_iters", "eval_sequences", "outlier_factor", "log_interval", "observe_interval", "observe_sequences", "observe_format", "always_save_checkpoint"};
/// What a call says of itself, not of the run.
inline constexpr std::string_view of_the_call[] = {"out_dir", "resume", "eval_only", "progress", "quiet"};
inline constexpr std::string_view paths[] = {"text", "data_dir", "tokenizer", "init_from"};

/// Whether two paths name one thing, or what the first named is no longer there: it was moved.
inline bool same_or_moved(std::filesystem::path const& before, std::filesystem::path const& now) {
    std::error_code ignored;
    return !before.empty() && (!std::filesystem::exists(before, ignored) || std::filesystem::equivalent(before, now, ignored));
}

}  // namespace detail

/// Holds what was given to what the run is. \param o  read over the run's settings
/// \return what goes on otherwise than it was begun: "max_iters 40 (was 20)"; empty: nothing
/// \throws usage_error naming an option that cannot be told anew
inline std::string changes_of_resumed(option_table const& o, resumed_run const& run) {
    std::string changes;
    for (auto const& option : o.options()) {
        if (!option.changed() || detail::is_among(option.name, detail::of_the_call)) continue;
        auto const before = to_text(option.default_value), now = to_text(option.get());
        if (detail::is_among(option.name, detail::paths) && detail::same_or_moved(before, now)) continue;
        if (!detail::is_among(option.name, detail::may_change))
            fail<usage_error>("--", option.name, ": '", now, "': expected ", before.empty() ? "none" : "'" + before + "'", ", as ", run.checkpoint.string(),
                              " was trained with; without --resume and with another --out_dir it is a run of its own");
        changes += text(changes.empty() ? "" : ", ", option.name, " ", now, " (was ", before, ")");
    }
    return changes;
}

}  // namespace attnlab
