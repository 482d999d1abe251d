#pragma once
#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/emergence.hpp>
#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/results_csv.hpp>
#include <attnlab/cli/experiment.hpp>
#include <attnlab/cli/init_from.hpp>
#include <attnlab/cli/machine.hpp>
#include <attnlab/cli/measure_compression.hpp>
#include <attnlab/cli/measure_run.hpp>
#include <attnlab/cli/measure_scale.hpp>
#include <attnlab/cli/observe_run.hpp>
#include <attnlab/io/fingerprint.hpp>
#include <attnlab/io/folder_lock.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/progress.hpp>
#include <attnlab/train/ranks.hpp>

/// \file
/// `attnlab train`: one model, measured along the way. The run's folder holds ckpt.safetensors, results.csv, observations.csv, and, when it
/// has come to its end, sample.safetensors, scales.safetensors and run.json.

namespace attnlab {

namespace detail {

/// Seconds spent in training steps: evaluations stop the clock.
class step_clock {
    using clock = std::chrono::steady_clock;

public:
    void pause() { began_ = clock::now(); }
    void step() {
        auto const now = clock::now();
        seconds_ += std::chrono::duration<double>(now - began_).count();
        began_ = now;
    }
    double seconds() const { return seconds_; }
    void set(double seconds) { seconds_ = seconds; }

private:
    clock::time_point began_ = clock::now();
    double seconds_ = 0;
};

/// First step, and tokens, at which the excess had come down to each threshold.
inline void add_convergence(results& rows, run_settings const& s, index_t step) {
    int const seed = static_cast<int>(s.seed);
    auto const excess = rows.over_steps(s.policy, {"excess"});
    for (auto const& [name, threshold] : {std::pair{"0.1", 0.1}, {"0.05", 0.05}})
        for (auto const& [at, values] : excess)
            if (values.back() <= threshold) {
                auto const tokens = static_cast<double>(at * s.train.gradient_accumulation_steps * s.train.batch_size * s.train.block_size);
                rows.add(s.policy, seed, step, {std::string("steps_to_excess_") + name}, static_cast<double>(at));
                rows.add(s.policy, seed, step, {std::string("tokens_to_excess_") + name}, tokens);
                break;
            }
}

/// How far the run is, for a reader: a line redrawn in place, or lines a parent process reads.
class run_progress {
public:
    run_progress(run_settings const& s, std::int64_t start)
        : lines_(s.progress == "lines"), line_("training " + s.policy, static_cast<std::uint64_t>(s.train.max_iters), "steps",
                                               {.quiet = s.quiet || s.progress != "line" || s.train.eval_only}),
          tells_(!s.quiet || s.train.eval_only) {
        line_.advance(static_cast<std::uint64_t>(start));
    }
    void step(std::int64_t iteration, double loss) {
        line_.note(text("training loss ", number(loss, 4)));
        line_.advance();
        auto const now = std::chrono::steady_clock::now();
        if (!lines_ || now - told_ < std::chrono::milliseconds(200)) return;
        told_ = now;
        std::cout << "progress " << iteration + 1 << ' ' << loss << std::endl;
    }
    /// \param losses  of an evaluation, by name; the first stays in the progress line until the next step \param speed  of a GPU, or empty
    void evaluated(std::int64_t step, std::vector<std::pair<char const*, double>> const& losses, std::string const& speed) {
        std::vector<std::string> all;
        for (auto const& [name, loss] : losses) all.push_back(text(name, " loss ", number(loss, 4)));
        if (!all.empty()) line_.note(all.front());
        if (!speed.empty()) all.push_back(speed);
        if (tells_ && !all.empty()) line_.say(text("step ", step, ": ", joined(all)));
    }

private:
    bool lines_;
    progress line_;
    bool tells_;
    std::chrono::steady_clock::time_point told_{};
};

}  // namespace detail

/// Trains by the settings, together with other ranks; the first one speaks and writes. \param options  every option with its value, kept in
/// the checkpoint \param carrier  of gradients between ranks, for the reader
inline void train_command(experiment const& e, run_settings s, data_source const& data, json options, ranks& all, std::string const& carrier) {
    bool const first = all.rank() == 0;
    if (!first) s.quiet = true, s.progress = "none";
    if (all.size() > 1 && !s.quiet) std::cout << all.size() << " ranks, gradients by " << carrier << std::endl;
    if (data.vocabulary()) options["code_points"] = data.vocabulary()->code_points();
    if (auto const file = held_out_file(s); !file.empty()) options["data_file"] = fingerprint(file);
    if (!s.family.empty()) options["family"] = parse_json_text(s.family, "config.json");
    auto const owned = make_model(e, s, weights_of(s));
    any_model& model = *owned;
    model.parameters().initialize(s.seed);
    if (!s.init_from.empty() && !s.resume) take_weights(s, model);

    trainer<any_model> run(model, s.train, options.dump());
    run.train_among(all, static_cast<std::size_t>(s.bucket_mb * (1 << 20)));

    auto const table = s.out_dir / "results.csv";
    std::optional<folder_lock> lock;
    std::error_code ignored;
    all.first_alone([&] {
        if (s.train.eval_only) return;
        lock.emplace(s.out_dir);
        if (!s.resume && (std::filesystem::exists(s.train.checkpoint, ignored) || std::filesystem::exists(interrupted_checkpoint(s.train.checkpoint), ignored)))
            fail(s.out_dir.string(), ": holds a run already: --resume true goes on with it, --out_dir names another folder");
    });
    results rows;
    detail::step_clock clock;
    all.first_alone([&] {
        if (!s.resume) return;
        run.resume(s.resume_from);
        // The evaluation of the step it stopped at is repeated; what is drawn from observations is drawn from all of them at the end.
        if (std::filesystem::exists(table, ignored))
            for (auto const& r : read_results_csv(table))
                if (r.step < run.state().iteration && !of_emergence(r.metric)) rows.add(r);
        if (auto const before = rows.last(s.policy, {"train_seconds"}); before.count > 0) clock.set(before.mean);
    });

    std::deque<observation_stream> streams;
    if (s.observe_interval > 0) {
        for (auto const& path : observation_paths(s)) streams.emplace_back(path);
        auto const look = [batch = observed_batch(data, s), &clock](any_model& m, step_rows& row) { batch(m, row), clock.pause(); };
        run.observe_every(s.observe_interval, look, streams);
    }

    int const seed = static_cast<int>(s.seed);
    detail::run_progress shown(s, run.state().iteration);
    train_hooks<any_model> hooks;
    if (!s.quiet && s.progress != "lines") hooks.on_signal = "\nends after this step or evaluation; a second signal ends it at once, unsaved\n";
    hooks.on_step = [&](step_record const& r) {
        clock.step();
        shown.step(r.iteration, r.loss);
    };
    hooks.on_evaluate = [&](std::int64_t step, any_model& m, loss_estimate estimate) {
        auto const row = [&](char const* name, double value) { rows.add(s.policy, seed, step, {name}, value); };
        std::vector<std::pair<char const*, double>> losses;
        if (s.measure) losses.emplace_back("evaluation", measure_model(m, data, s, step, rows).loss.mean);
        if (!std::isnan(estimate.validation)) {
            losses.insert(losses.end(), {{"val", estimate.validation}, {"train", estimate.train}});
            if (!s.measure) row("loss", estimate.validation);
            row("train_loss", estimate.train);
        } else if (auto const& sums = run.state().since_evaluation; sums.steps > 0) {
            row("train_loss", sums.loss / static_cast<double>(sums.steps));
            row("gradient_norm", sums.gradient_norm / static_cast<double>(sums.steps));
        }
        auto const tokens = static_cast<double>(run.state().tokens_seen);
        row("tokens_seen", tokens);
        row("train_seconds", clock.seconds());
        if (clock.seconds() > 0) row("tokens_per_second", tokens / clock.seconds());
        std::string speed;
        if (double const peak = peak_of(s.device); peak > 0 && tokens > 0 && clock.seconds() > 0) {
            double const rate = tokens / clock.seconds(), mfu = s.model.training_flop(m.parameters().count()) * rate / peak;
            row("mfu", mfu);
            speed = text(progress::short_number(rate), " tokens/s, MFU ", number(100 * mfu, 3), " %");
        }
        shown.evaluated(step, losses, speed);
        row("parameters", static_cast<double>(m.parameters().count()));
        if (!s.train.eval_only) write_results_csv(table, rows);
        clock.pause();
    };
    run.run(data, hooks);
    if (s.train.eval_only) return;

    all.first_alone([&] {
        detail::add_convergence(rows, s, run.state().iteration);
        if (s.measure) {
            add_compressions(rows, model, data, s, run.state().iteration);
            add_scales(rows, model, data, s, run.state().iteration);
        }
        if (!streams.empty()) add_emergence(rows, s.policy, seed, run.state().iteration, read_observations(streams.front().path()));
        write_results_csv(table, rows);
        if (s.measure) {
            write_sample(s.out_dir / "sample.safetensors", take_sample(model, data, s));
            write_scale_sample(s.out_dir / "scales.safetensors", take_scales(model, data, s));
        }
        json finished{{"iterations", run.state().iteration}, {"tokens", run.state().tokens_seen}, {"options", options}, {"machine", machine_facts(s.device)}};
        if (all.size() > 1) finished["ranks"] = {{"number", all.size()}, {"gradients_by", carrier}, {"seconds_waited_for_sums", all.seconds_waited()}};
        write_atomically(s.out_dir / "run.json", [&](std::ostream& out) { out << finished.dump(2) << '\n'; });
    });
}

}  // namespace attnlab
