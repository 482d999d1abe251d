#pragma once
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <attnlab/analysis/report.hpp>
#include <attnlab/analysis/results_csv.hpp>
#include <attnlab/cli/machine.hpp>
#include <attnlab/cli/measure_scale.hpp>
#include <attnlab/cli/process.hpp>
#include <attnlab/cli/read_options.hpp>
#include <attnlab/cli/run_settings.hpp>
#include <attnlab/io/folder_lock.hpp>
#include <attnlab/io/progress.hpp>
#include <attnlab/train/interrupt.hpp>

/// \file
/// `attnlab reproduce`: every policy and seed as a run of its own, one process and one thread each, as many at a time as there are
/// cores; then the report. What is finished in the folder is not done again.

namespace attnlab {

struct reproduce_settings {
    run_settings run;                     ///< shared by all runs
    std::vector<std::string> policies;
    int seeds = 0;                        ///< 0: 3, or 1 on a text
    std::int64_t steps = 0;               ///< 0: the preset's
    std::filesystem::path out;
    index_t jobs = 0;                       ///< 0: as many as cores
    bool quiet = false;
};

inline void declare(option_table& o, reproduce_settings& s) {
    o.group("Experiment");
    o.add("policies", s.policies, "which attentions; nothing: the paper's six, after those of this program itself");
    o.add("seeds", s.seeds, "runs of each policy; 0: 3, or 1 on a text", at_least{0});
    o.add("steps", s.steps, "training steps; 0: the preset's", at_least{0});
    o.add("out", s.out, "folder of runs and report; nothing: attnlab-PRESET");
    o.add("jobs", s.jobs, "runs at a time; 0: as many as cores, or one on a GPU", at_least{0});
    declare_quiet(o, s.quiet);
    declare_experiment(o, s.run);
}

namespace detail {

/// One policy and seed: its folder and the configuration that repeats it.
struct planned_run {
    run_settings settings;
    std::filesystem::path folder;
    std::string config;

    bool finished() const { return std::filesystem::exists(folder / "run.json"); }
    bool begun() const { return std::filesystem::exists(folder / "ckpt.safetensors"); }
    std::string name() const { return settings.policy + " " + std::to_string(settings.seed); }
};

inline planned_run plan_run(reproduce_settings const& s, std::string const& policy, int seed) {
    planned_run run{s.run, s.out / "runs" / (policy + "-" + std::to_string(seed)), {}};
    run.settings.policy = policy;
    run.settings.seed = static_cast<std::uint64_t>(seed);
    run.settings.out_dir = std::filesystem::absolute(run.folder);
    if (!run.settings.text.empty()) run.settings.text = std::filesystem::absolute(run.settings.text);
    option_table table("attnlab train", "");
    declare(table, run.settings);
    run.config = table.as_config();
    return run;
}

/// Makes the run's folder with its configuration, or finds it there from an earlier call.
inline void prepare(planned_run const& run) {
    make_folder(run.folder);
    auto const path = run.folder / "train.cfg";
    if (std::filesystem::exists(path) && read_text(path) != run.config)
        fail(path.string(), ": this folder holds runs with other options: choose another --out, or remove it");
    write_atomically(path, [&](std::ostream& out) { out << run.config; });
}

/// The last line a failed run left, without its "error: ".
inline std::string last_line(std::filesystem::path const& log) {
    std::ifstream in(log);
    std::string line, last = "it left no message";
    while (std::getline(in, line))
        if (!line.empty()) last = line;
    return last.starts_with("error: ") ? last.substr(7) : last;
}

/// A run under way.
struct active_run {
    planned_run const* plan;
    child_process process;
    std::int64_t step = 0;
    std::string loss = "-";
};

inline void train_all(std::vector<planned_run> const& all, index_t jobs, bool quiet) {
    std::vector<planned_run const*> waiting;
    for (auto const& run : all)
        if (!run.finished()) waiting.push_back(&run);
    if (waiting.empty()) return;
    std::reverse(waiting.begin(), waiting.end());

    auto const steps = all.front().settings.train.max_iters;
    progress shown(text("training ", plural(waiting.size(), "model"), ", ", jobs, " at a time"), waiting.size() * static_cast<std::uint64_t>(steps), "steps",
                   {.quiet = quiet});
    auto const program = std::filesystem::read_symlink("/proc/self/exe").string();
    signal_watch const signals;
    std::vector<active_run> active;
    while (!waiting.empty() || !active.empty()) {
        if (signals.caught()) {
            // Ctrl-C reaches the runs too; a signal to this process alone does not. Each saves its state and ends.
            active.clear();
            fail<interrupted>("stopped by ", signals.caught(), "; the same command goes on where it stopped");
        }
        while (!waiting.empty() && static_cast<index_t>(active.size()) < jobs) {
            auto const* run = waiting.back();
            waiting.pop_back();
            prepare(*run);
            std::vector<std::string> arguments{program, "train", "--config", (run->folder / "train.cfg").string(), "--progress", "lines"};
            if (run->begun()) arguments.insert(arguments.end(), {"--resume", "true"});
            active.push_back({run, child_process(arguments, {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"}, run->folder / "log.txt")});
        }
        std::vector<pollfd> watched;
        for (auto const& a : active) watched.push_back({a.process.output(), POLLIN, 0});
        if (::poll(watched.data(), watched.size(), 200) < 0) continue;
        for (std::size_t i = watched.size(); i-- > 0;) {
            if (watched[i].revents == 0) continue;
            auto& a = active[i];
            auto const seen = [&](std::int64_t step) {
                if (step > a.step) shown.advance(static_cast<std::uint64_t>(step - a.step));
                a.step = std::max(a.step, step);
            };
            bool const more = a.process.read_lines([&](std::string const& line) {
                std::istringstream words(line);
                std::string word, loss;
                std::int64_t step = 0;
                if (words >> word >> step >> loss && word == "progress") {
                    a.loss = loss;
                    seen(step);
                }
            });
            if (!more) {
                int const status = a.process.wait();
                auto const* plan = a.plan;
                seen(steps);
                active.erase(active.begin() + static_cast<std::ptrdiff_t>(i));
                if (status != 0 && !signals.caught())
                    fail("run ", plan->name(), " failed: ", last_line(plan->folder / "log.txt"), " (", (plan->folder / "log.txt").string(), ")");
                std::error_code ignored;   // a run that went well has mostly said nothing
                if (auto const log = plan->folder / "log.txt"; status == 0 && std::filesystem::is_empty(log, ignored)) std::filesystem::remove(log, ignored);
            }
        }
        std::string note;
        for (auto const& a : active) note += text(note.empty() ? "" : ", ", a.plan->name(), ": ", a.loss);
        shown.note(note);
    }
}

}  // namespace detail

/// Trains what is missing and writes the report. \param command  as typed
inline void reproduce_command(reproduce_settings s, json const& options, std::string const& command) {
    auto const begin = std::chrono::steady_clock::now();
    folder_lock const lock(s.out);
    std::vector<int> seeds;
    for (int seed = 1; seed <= s.seeds; ++seed) seeds.push_back(seed);
    std::vector<detail::planned_run> runs;
    for (int seed : seeds)   // all policies of the first seed first
        for (auto const& policy : s.policies) runs.push_back(detail::plan_run(s, policy, seed));
    index_t const cores = static_cast<index_t>(std::max(1u, std::thread::hardware_concurrency()));
    index_t const jobs = std::min(s.jobs > 0 ? s.jobs : s.run.device == "cpu" ? cores : 1, static_cast<index_t>(runs.size()));
    // The whole plan first: an old folder with other options is found before anything is trained.
    for (auto const& run : runs) detail::prepare(run);
    detail::train_all(runs, jobs, s.quiet);

    results all;
    std::vector<sample> samples;
    std::vector<scale_sample> scales;
    for (auto const& run : runs) {
        all.merge(read_results_csv(run.folder / "results.csv"));
        samples.push_back(read_sample(run.folder / "sample.safetensors"));
        if (auto const path = run.folder / "scales.safetensors"; std::filesystem::exists(path)) scales.push_back(read_scale_sample(path));
    }
    add_scale_matches(all, scales, static_cast<index_t>(s.run.train.max_iters));
    manifest m;
    m.task = s.run.task == "backcopy" ? "backcopy" : s.run.task == "text" ? s.run.text.string() : s.run.data_dir.string();
    m.command = command;
    m.policies = s.policies;
    m.seeds = seeds;
    m.steps = static_cast<index_t>(s.run.train.max_iters);
    m.machine = attnlab::text(cpu_name(), "; ", jobs, " runs at a time, one thread each");
    m.minutes = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / 60;
    m.length_rule = s.run.length;
    m.versions = versions();
    m.versions.update(device_facts(s.run.device));
    m.options = options;
    write_report(s.out, m, all, samples);
}

}  // namespace attnlab
