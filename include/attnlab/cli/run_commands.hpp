#pragma once
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/cli/checkpoint_data.hpp>
#include <attnlab/cli/command.hpp>
#include <attnlab/cli/compress_command.hpp>
#include <attnlab/cli/convert_command.hpp>
#include <attnlab/cli/convert_folder.hpp>
#include <attnlab/cli/evaluate_command.hpp>
#include <attnlab/cli/generate_command.hpp>
#include <attnlab/cli/join_ranks.hpp>
#include <attnlab/cli/read_options.hpp>
#include <attnlab/cli/reproduce_command.hpp>
#include <attnlab/cli/resume.hpp>
#include <attnlab/cli/scale_command.hpp>
#include <attnlab/cli/train_command.hpp>

/// \file
/// Commands that train runs and measure their checkpoints: options to settings. Include it in exactly one source file of a program.

namespace attnlab {

namespace detail {

/// The settings that options are read over: a preset's.
inline run_settings preset_of(run_settings const& first, option_table const& given) {
    return preset(given.changed("text") && !given.given("preset") ? "text" : first.preset);
}

/// Reads the options twice: the first time to know what they are over, `base(first, table)`, as a preset, the second over its values.
/// False after --help.
template <class Settings, class Run, class Declare, class Base>
bool read_over(Settings& s, Run run_of, Declare declare_all, option_table& table, std::vector<std::string> const& arguments, Base base) {
    Settings first;
    run_of(first) = preset("default");
    option_table probe(table.command(), table.summary());
    declare_all(probe, first);
    if (!read_options(probe, arguments, std::cout)) return false;
    run_of(s) = base(run_of(first), probe);
    declare_all(table, s);
    read_options(table, arguments, std::cout);
    return true;
}

/// A text brings its own vocabulary; a model that is there already, and `--vocab_size`, may have more tokens than it, which are padding.
inline void take_vocabulary(run_settings& s, option_table const& o, data_source const& data) {
    if (s.resume || !s.init_from.empty()) return data.expect_known(s.model.vocab_size);
    auto const size = data.vocabulary_size();
    if (!o.changed("vocab_size")) s.model.vocab_size = size;
    if (s.model.vocab_size < size) fail<usage_error>("--vocab_size: ", s.model.vocab_size, ": expected ", size, " or more, the tokens of ", s.text.string());
}

/// The line that goes on with a run.
inline std::string resume_line(std::filesystem::path const& out_dir) {
    auto const path = out_dir.string();
    bool const plain = path.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+-=:,@%") == path.npos;
    std::string quoted;
    for (char const c : path) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return program_name() + " train --resume --out_dir " + (plain ? path : "'" + quoted + "'");
}

inline int run_train(policy_catalogue const& policies, command_words const& arguments) {
    run_settings s;
    option_table table("attnlab train", "Trains one model and measures it along the way.");
    auto const self = [](run_settings& r) -> run_settings& { return r; };
    std::unique_ptr<ranks> all;
    std::optional<resumed_run> resumed;
    auto const base = [&](run_settings const& first, option_table const& given) {
        if (!first.resume) return preset_of(first, given);
        all = join_ranks();
        resumed = find_resumed(*all, first.out_dir);
        return resumed->run.settings;
    };
    if (!read_over(s, self, [](option_table& o, run_settings& r) { declare(o, r); }, table, arguments, base)) return 0;
    auto const& e = resumed && !table.given("policy") ? policies.find_trained(s.policy, resumed->checkpoint) : policies.find(s.policy);
    s.policy = e.card.name;
    if (resumed) {
        auto const changes = changes_of_resumed(table, *resumed);
        bool const done = !s.train.eval_only && resumed->has_done(s.train.max_iters);
        if (all->rank() == 0 && done)
            std::cout << s.out_dir.string() << ": " << std::max(resumed->run.state.iteration, resumed->finished) << " steps are done, --max_iters is " << s.train.max_iters
                      << ": nothing is left to train; a larger one goes on" << std::endl;
        else if (all->rank() == 0 && !s.quiet)
            std::cerr << resumed->checkpoint.string() << ": goes on from step " << resumed->run.state.iteration << (changes.empty() ? "" : " with ") << changes << std::endl;
        if (done) return 0;
    } else {
        take_task(s, table);
        if (!s.init_from.empty()) take_sizes(s, table);
        check_data_options(s, table);
    }
    if (!s.family.empty() && e.in_families.empty()) {
        std::vector<std::string> names;
        for (auto const& other : policies.all())
            if (!other.in_families.empty()) names.push_back(other.card.name);
        fail<usage_error>("--policy: '", s.policy, "': compiled for GPTs alone; beside ", s.init_from.string(), ": expected one of ", joined(names),
                          ", or a program of your own with experiment_main<for_families<attention<...>>>");
    }
    settle(s);
    for (auto* path : {&s.text, &s.tokenizer, &s.data_dir, &s.init_from})   // the run is measured from anywhere
        if (!path->empty()) *path = std::filesystem::absolute(*path);
    use_device(s.device);
    if (!all) all = join_ranks();
    try {
        expect_alike(*all, effective_values(table).dump());
        carried_ranks const carried(*all, s.device);
        auto const data = resumed ? data_of({s, resumed->run.code_points, resumed->run.data_file, {}}) : data_source(s, code_points_of(s));
        take_vocabulary(s, table, data);
        train_command(e, s, data, effective_values(table), carried.all(), carried.carrier());
    } catch (interrupted const& stopped) {   // on all ranks alike; said before MPI ends, for which an mpirun that was interrupted does not wait
        if (all->rank() > 0) return 0;
        std::cerr << stopped.what() << "; to go on: " << resume_line(s.out_dir) << std::endl;
        return 130;
    }
    return 0;
}

inline int run_reproduce(policy_catalogue const& policies, command_words const& arguments) {
    reproduce_settings s;
    option_table table("attnlab reproduce", "Trains every attention side by side, analyses and writes report.html.");
    auto const run_of = [](reproduce_settings& r) -> run_settings& { return r.run; };
    if (!read_over(s, run_of, [](option_table& o, reproduce_settings& r) { declare(o, r); }, table, arguments, preset_of)) return 0;
    take_task(s.run, table);
    check_data_options(s.run, table);
    if (s.policies.empty())
        for (std::size_t i = 0; i < policies.compared(); ++i) s.policies.push_back(policies.all()[i].card.name);
    auto const chosen = policies.find(s.policies);
    std::transform(chosen.begin(), chosen.end(), s.policies.begin(), [](auto const* e) { return e->card.name; });
    if (s.seeds == 0) s.seeds = s.run.task == "text" ? 1 : 3;
    if (s.out.empty()) s.out = "attnlab-" + s.run.preset;
    auto& t = s.run.train;
    if (s.steps > 0) {
        t.max_iters = t.schedule.lr_decay_iters = s.steps;
        t.schedule.warmup_iters = std::min(t.schedule.warmup_iters, s.steps);
    }
    auto checked = s.run;
    settle(checked);
    use_device(checked.device);
    take_vocabulary(s.run, table, data_source(checked));   // a text that cannot be read is found before anything is trained
    std::string command = program_name() + " reproduce";
    for (auto const& w : arguments) command += " " + w;
    reproduce_command(s, effective_values(table), command);
    std::cout << "report: " << (s.out / "report.html").string() << std::endl;
    return 0;
}

/// How a checkpoint is measured: `evaluate`, `compress` and `scale` alike, so that their losses are of the same predictions.
struct measuring {
    std::filesystem::path checkpoint;
    data_paths data;
    std::string length = "trained", device = "cpu";
    index_t sequences = 0;
};

/// \param least  evaluation sequences
inline void declare(option_table& o, measuring& m, double least = 0) {
    o.positional("CHECKPOINT", m.checkpoint, "a ckpt.safetensors, or the folder that holds it");
    declare(o, m.data);
    o.add("length", m.length, "the T in a formula (sigmoid's -ln T)", one_of{{"sequence", "trained", "visible"}});
    o.add("eval_sequences", m.sequences, "evaluation sequences; 0: as in training", at_least{least});
    declare_device(o, m.device);
}

/// Reads the command line and does `command(experiment, run, path)` of the run as it is measured: a sequence at a time, so that a loss has a
/// standard error.
template <class Command>
int measured(policy_catalogue const& policies, command_words const& arguments, option_table& table, measuring const& m, Command command) {
    if (!read_options(table, arguments, std::cout)) return 0;
    auto const path = checkpoint_path(m.checkpoint);
    auto run = read_checkpoint_run(path);
    use_data(run, m.data);
    auto& s = run.settings;
    s.length = m.length, s.device = m.device, s.train.batch_size = 1;
    if (m.sequences > 0) s.eval_sequences = m.sequences;
    settle(s);
    command(policies.find_trained(s.policy, path), std::as_const(run), path);
    return 0;
}

inline int run_evaluate(policy_catalogue const& policies, command_words const& arguments) {
    measuring m;
    bool as_json = false, quiet = false;
    option_table table("attnlab evaluate", "Loss and measures of a checkpoint on its evaluation sequences.");
    declare(table, m);
    table.add("json", as_json, "all measures as JSON");
    declare_quiet(table, quiet);
    return measured(policies, arguments, table, m, [&](auto const&... run) { evaluate_command(run..., as_json, quiet); });
}

inline int run_compress(policy_catalogue const& policies, command_words const& arguments) {
    measuring m;
    bool as_json = false, quiet = false;
    option_table table("attnlab compress", "Loss of a checkpoint with its blocks' Linears quantised (W, A: bits of weights, inputs) or pruned.");
    declare(table, m);
    table.add("json", as_json, "as JSON; bits of 0: as trained");
    declare_quiet(table, quiet);
    return measured(policies, arguments, table, m, [&](auto const&... run) { compress_command(run..., as_json, quiet); });
}

inline int run_scale(policy_catalogue const& policies, command_words const& arguments) {
    measuring m;
    bool as_json = false;
    option_table table("attnlab scale", "Whether a checkpoint's sinks are implicit scaling factors: S = 1 - P[i, 0] of each head, and the loss when the sink's value "
                                        "is zero, when S is constant, when the sink's key and value are; what each head is worth.");
    declare(table, m, 2);   // an interval asks for two
    table.add("json", as_json, "as JSON, with percentiles of S");
    return measured(policies, arguments, table, m, [&](auto const&... run) { scale_command(run..., as_json); });
}

inline int run_convert(policy_catalogue const& policies, command_words const& arguments) {
    std::filesystem::path given, out;
    data_paths data;
    std::string device = "cpu";
    index_t sequences = 0;
    option_table table("attnlab convert", "A softmax checkpoint as one of attention_bias, without training: the first token's key and value become k', v' and that token "
                                          "leaves the sequence. Of a Hugging Face family: its folder again.");
    table.positional("CHECKPOINT", given, "a ckpt.safetensors, or the folder that holds it");
    table.positional("OUT", out, "a new folder");
    declare(table, data);
    table.add("eval_sequences", sequences, "sequences to average over, and as many others to check on; 0: as in training", at_least{0});
    declare_device(table, device);
    if (!read_options(table, arguments, std::cout)) return 0;
    auto const path = checkpoint_path(given);
    auto run = read_checkpoint_run(path);
    use_data(run, data);
    if (!run.settings.family.empty()) {
        convert_to_folder(policies.find_trained(run.settings.policy, path), run, path, out);
        return 0;
    }
    run.settings.device = device;
    convert_command(policies.find_trained(run.settings.policy, path), policies.find("attention_bias"), run, path, out, sequences);
    return 0;
}

inline int run_generate(policy_catalogue const& policies, command_words const& arguments) {
    std::filesystem::path given;
    std::string length = "trained", device = "cpu";
    generate_settings g;
    data_paths data;
    option_table table("attnlab generate", "Samples from a checkpoint.");
    table.positional("CHECKPOINT", given, "a ckpt.safetensors, or the folder that holds it");
    declare(table, g);
    table.add("tokenizer", data.tokenizer, "where the run's tokeniser is now; nothing: where it was");
    table.add("length", length, "the T in a formula (sigmoid's -ln T)", one_of{{"sequence", "trained", "visible"}});
    declare_device(table, device);
    if (!read_options(table, arguments, std::cout)) return 0;
    auto const path = checkpoint_path(given);
    auto run = read_checkpoint_run(path);
    use_data(run, data);
    run.settings.length = length, run.settings.device = device;
    settle(run.settings);
    generate_command(policies.find_trained(run.settings.policy, path), run, path, g);
    return 0;
}

}  // namespace detail

std::vector<command> run_commands() {
    return {{"reproduce", "train every attention side by side, analyse, write a report", detail::run_reproduce},
            {"train", "one model (nanoGPT's options)", detail::run_train},
            {"evaluate", "loss and sinks of a checkpoint", detail::run_evaluate},
            {"compress", "what quantisation and pruning cost a checkpoint", detail::run_compress},
            {"scale", "whether a checkpoint's sinks are scaling factors in disguise", detail::run_scale},
            {"convert", "a softmax checkpoint as one of attention_bias, or as its family's folder", detail::run_convert},
            {"generate", "samples from a checkpoint", detail::run_generate}};
}

}  // namespace attnlab
