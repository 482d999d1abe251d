#pragma once
#include <algorithm>
#include <exception>
#include <iomanip>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/cli/analyze_command.hpp>
#include <attnlab/cli/benchmark_command.hpp>
#include <attnlab/cli/compress_command.hpp>
#include <attnlab/cli/convert_command.hpp>
#include <attnlab/cli/evaluate_command.hpp>
#include <attnlab/cli/experiment_main.hpp>
#include <attnlab/cli/generate_command.hpp>
#include <attnlab/cli/inspect_command.hpp>
#include <attnlab/cli/open_model.hpp>
#include <attnlab/cli/read_options.hpp>
#include <attnlab/cli/reproduce_command.hpp>
#include <attnlab/cli/scale_command.hpp>
#include <attnlab/cli/sites_command.hpp>
#include <attnlab/cli/tokenize_command.hpp>
#include <attnlab/cli/train_command.hpp>
#include <attnlab/kernels/check_policy.hpp>

/// \file
/// The program around policies: names to types, options to settings, errors to one line and an exit status. Include it in exactly one
/// source file of a program; attnlab_add_experiment(name main.cpp) in CMake does that beside the file with main, so that a change
/// of a policy does not compile the commands again.

namespace attnlab {

namespace detail {

/// The commands, each over the experiments compiled in.
class program {
public:
    program(std::vector<experiment> experiments, std::vector<experiment> others, std::vector<std::string> words) : words_(std::move(words)) {
        add(std::move(experiments));
        compared_ = all_.size();
        add(std::move(others));
    }

    /// Exit status.
    int run() {
        std::string const command = words_.size() > 1 ? words_[1] : "--help";
        std::vector<std::string> const arguments(words_.begin() + std::min<std::ptrdiff_t>(2, static_cast<std::ptrdiff_t>(words_.size())), words_.end());
        if (command == "reproduce") return reproduce(arguments);
        if (command == "train") return train(arguments);
        if (command == "analyze") return analyze(arguments);
        if (command == "evaluate") return evaluate(arguments);
        if (command == "compress") return compress(arguments);
        if (command == "scale") return scale(arguments);
        if (command == "convert") return convert(arguments);
        if (command == "generate") return generate(arguments);
        if (command == "inspect") return inspect(arguments);
        if (command == "benchmark") return benchmark(arguments);
        if (command == "check") return check(arguments);
        if (command == "policies") return policies(arguments);
        if (command == "sites") return sites(arguments);
        if (command == "tokenize") return tokenize(arguments);
        if (command == "--help" || command == "-h" || command == "help") return help();
        auto const near = nearest_names(command, {"reproduce", "train", "evaluate", "compress", "generate", "inspect", "benchmark", "check", "policies", "sites"});
        auto const near = nearest_names(command, {"reproduce", "train", "evaluate", "compress", "generate", "benchmark", "check", "policies", "sites", "tokenize"});
        auto const near = nearest_names(command, {"reproduce", "train", "analyze", "evaluate", "compress", "generate", "benchmark", "check", "policies", "sites"});
        auto const near = nearest_names(command, {"reproduce", "train", "evaluate", "compress", "scale", "convert", "generate", "benchmark", "check", "policies", "sites"});
        fail<usage_error>("'", command, "': unknown command; ", near.empty() ? "--help lists them all" : "nearest: " + joined(near));
    }

private:
    static int help() {
        std::cout << "usage: attnlab COMMAND [--option value ...]\n\n"
                     "  reproduce  train every attention side by side, analyse, write a report\n"
                     "  train      one model (nanoGPT's options)\n"
                     "  analyze    outliers of a model: existence, position, lifecycle, overlap\n"
                     "  evaluate   loss and sinks of a checkpoint\n"
                     "  compress   what quantisation and pruning cost a checkpoint\n"
                     "  scale      whether a checkpoint's sinks are scaling factors in disguise\n"
                     "  convert    a softmax checkpoint as one of attention_bias, without training\n"
                     "  generate   samples from a checkpoint\n"
                     "  inspect    what a model, checkpoint or file is, and whether it is sound\n"
                     "  tokenize   text to a language model's tokens, and back\n"
                     "  benchmark  attention, a training step, the machine: lines `name value unit`\n"
                     "  check      a program's own policies against reference, differences, causality\n"
                     "  policies   the attentions there are\n"
                     "  sites      the places an observer can look at\n\n"
                     "COMMAND --help lists its options.\n";
        return 0;
    }

    void add(std::vector<experiment> more) {
        for (auto& e : more)
            if (std::none_of(all_.begin(), all_.end(), [&](auto const& other) { return other.card.name == e.card.name; })) all_.push_back(std::move(e));
    }

    experiment const& find(std::string const& name) const {
        std::vector<std::string> names;
        for (auto const& e : all_) {
            names.push_back(e.card.name);
            names.insert(names.end(), e.card.aliases.begin(), e.card.aliases.end());
            if (e.card.name == name || std::find(e.card.aliases.begin(), e.card.aliases.end(), name) != e.card.aliases.end()) return e;
        }
        auto const near = nearest_names(name, names);
        fail<usage_error>("policy '", name, "': unknown; ", near.empty() ? "" : "nearest: " + joined(near) + "; ", "`policies` lists them all");
    }

    /// Reads the options twice: the first time to know the preset, the second over its values. False after --help.
    template <class Settings, class Run, class Declare>
    static bool read(Settings& s, Run run_of, Declare declare_all, option_table& table, std::vector<std::string> const& arguments) {
        Settings first;
        run_of(first) = preset("default");
        option_table probe(table.command(), table.summary());
        declare_all(probe, first);
        if (!read_options(probe, arguments, std::cout)) return false;
        bool const text_given = probe.given("text"), preset_given = probe.given("preset");
        run_of(s) = preset(text_given && !preset_given ? "text" : run_of(first).preset);
        declare_all(table, s);
        read_options(table, arguments, std::cout);
        if (text_given && !table.given("task")) run_of(s).task = "text";
        return true;
    }

    int train(std::vector<std::string> const& arguments) {
        run_settings s;
        option_table table("attnlab train", "Trains one model and measures it along the way.");
        auto const self = [](run_settings& r) -> run_settings& { return r; };
        if (!read(s, self, [](option_table& o, run_settings& r) { declare(o, r); }, table, arguments)) return 0;
        auto const& e = find(s.policy);
        s.policy = e.card.name;
        settle(s);
        train_command(e, s, effective_values(table));
        return 0;
    }

    int reproduce(std::vector<std::string> const& arguments) {
        reproduce_settings s;
        option_table table("attnlab reproduce", "Trains every attention side by side, analyses and writes report.html.");
        auto const run_of = [](reproduce_settings& r) -> run_settings& { return r.run; };
        if (!read(s, run_of, [](option_table& o, reproduce_settings& r) { declare(o, r); }, table, arguments)) return 0;
        if (s.policies.empty())
            for (std::size_t i = 0; i < compared_; ++i) s.policies.push_back(all_[i].card.name);
        for (auto& name : s.policies) name = find(name).card.name;
        if (s.seeds == 0) s.seeds = s.run.task == "text" ? 1 : 3;
        if (s.out.empty()) s.out = "attnlab-" + s.run.preset;
        auto& t = s.run.train;
        if (s.steps > 0) {
            t.max_iters = t.schedule.lr_decay_iters = s.steps;
            t.schedule.warmup_iters = std::min(t.schedule.warmup_iters, s.steps);
        }
        auto checked = s.run;
        settle(checked);
        data_source const probe(checked);   // a text that cannot be read is found before anything is trained
        std::string command;
        for (auto const& w : words_) command += (command.empty() ? "" : " ") + w;
        reproduce_command(s, effective_values(table), command);
        std::cout << "report: " << (s.out / "report.html").string() << std::endl;
        return 0;
    }

    int analyze(std::vector<std::string> const& arguments) {
        analyze_settings s;
        option_table table("attnlab analyze", "The outliers of a model in activations, attention and weights, found and shown: a page, figures, numbers.");
        declare(table, s);
        if (!read_options(table, arguments, std::cout)) return 0;
        one_of const views{{"existence", "position", "lifecycle", "overlap"}};
        if (!views(s.what)) fail<usage_error>("VIEW: '", s.what, "': expected ", views.expected(""));
        if (s.out.empty()) s.out = "attnlab-" + s.what;
        auto const model = open_model(s.model, [this](std::string const& policy) -> experiment const& { return find(policy); });
        analyze_command(std::move(s), *model);
        return 0;
    }

    int evaluate(std::vector<std::string> const& arguments) {
        std::filesystem::path given;
        bool as_json = false, quiet = false;
        std::string length = "trained";
        index_t sequences = 0;
        option_table table("attnlab evaluate", "Loss and measures of a checkpoint on its evaluation sequences.");
        table.positional("CHECKPOINT", given, "a ckpt.safetensors, or the folder that holds it");
        table.add("json", as_json, "all measures as JSON");
        table.add("length", length, "the T in a formula (sigmoid's -ln T)", one_of{{"sequence", "trained", "visible"}});
        table.add("eval_sequences", sequences, "evaluation sequences; 0: as in training", at_least{0});
        declare_quiet(table, quiet);
        if (!read_options(table, arguments, std::cout)) return 0;
        auto const path = checkpoint_path(given);
        auto run = read_checkpoint_run(path);
        run.settings.length = length;
        if (sequences > 0) run.settings.eval_sequences = sequences;
        settle(run.settings);
        evaluate_command(find(run.settings.policy), run, path, as_json, quiet);
        return 0;
    }

    int compress(std::vector<std::string> const& arguments) {
        std::filesystem::path given, other_text;
        bool as_json = false, quiet = false;
        std::string length = "trained";
        index_t sequences = 256;
        option_table table("attnlab compress", "Loss of a checkpoint with its blocks' Linears quantised (W, A: bits of weights, inputs) or pruned.");
        table.positional("CHECKPOINT", given, "a ckpt.safetensors, or the folder that holds it");
        table.add("text", other_text, "measure on the last 10 % of this text; nothing: on the data of training");
        table.add("json", as_json, "as JSON; bits of 0: as trained");
        table.add("length", length, "the T in a formula (sigmoid's -ln T)", one_of{{"sequence", "trained", "visible"}});
        table.add("eval_sequences", sequences, "evaluation sequences", at_least{1});
        declare_quiet(table, quiet);
        if (!read_options(table, arguments, std::cout)) return 0;
        auto const path = checkpoint_path(given);
        auto const run = read_run_on(path, other_text, length, sequences);
        compress_command(find(run.settings.policy), run, path, as_json, quiet);
        return 0;
    }

    /// A checkpoint's run, to be measured on another text where one is given.
    static checkpoint_run read_run_on(std::filesystem::path const& path, std::filesystem::path const& other_text, std::string const& length, index_t sequences) {
        auto run = read_checkpoint_run(path);
        auto& s = run.settings;
        if (!other_text.empty()) {
            if (s.task != "text") fail<usage_error>("--text: expected a checkpoint that was trained on a text; this one's task is ", s.task);
            s.text = other_text;
        }
        s.length = length;
        s.eval_sequences = sequences;
        settle(s);
        return run;
    }

    int scale(std::vector<std::string> const& arguments) {
        std::filesystem::path given, other_text;
        bool as_json = false;
        index_t sequences = 128;
        option_table table("attnlab scale", "Whether a checkpoint's sinks are implicit scaling factors: S = 1 - P[i, 0] of each head, and the loss when the sink's value "
                                            "is zero, when S is constant, when the sink's key and value are; what each head is worth.");
        table.positional("CHECKPOINT", given, "a ckpt.safetensors, or the folder that holds it");
        table.add("text", other_text, "measure on the last 10 % of this text; nothing: on the data of training");
        table.add("json", as_json, "as JSON, with percentiles of S");
        table.add("eval_sequences", sequences, "evaluation sequences", at_least{1});
        if (!read_options(table, arguments, std::cout)) return 0;
        auto const path = checkpoint_path(given);
        auto const run = read_run_on(path, other_text, "trained", sequences);
        scale_command(find(run.settings.policy), run, path, as_json);
        return 0;
    }

    int convert(std::vector<std::string> const& arguments) {
        std::filesystem::path given, out;
        index_t sequences = 0;
        option_table table("attnlab convert", "A softmax checkpoint as one of attention_bias, without training: the first token's key and value become k', v' and that token "
                                              "leaves the sequence.");
        table.positional("CHECKPOINT", given, "a ckpt.safetensors, or the folder that holds it");
        table.positional("OUT", out, "a new folder");
        table.add("eval_sequences", sequences, "sequences to average over, and as many others to check on; 0: as in training", at_least{0});
        if (!read_options(table, arguments, std::cout)) return 0;
        auto const path = checkpoint_path(given);
        auto const run = read_checkpoint_run(path);
        convert_command(find(run.settings.policy), find("attention_bias"), run, path, out, sequences);
        return 0;
    }

    int generate(std::vector<std::string> const& arguments) {
        std::filesystem::path given;
        std::string length = "trained";
        generate_settings g;
        option_table table("attnlab generate", "Samples from a checkpoint.");
        table.positional("CHECKPOINT", given, "a ckpt.safetensors, or the folder that holds it");
        declare(table, g);
        table.add("length", length, "the T in a formula (sigmoid's -ln T)", one_of{{"sequence", "trained", "visible"}});
        if (!read_options(table, arguments, std::cout)) return 0;
        auto const path = checkpoint_path(given);
        auto run = read_checkpoint_run(path);
        run.settings.length = length;
        settle(run.settings);
        generate_command(find(run.settings.policy), run, path, g);
        return 0;
    }

    int inspect(std::vector<std::string> const& arguments) {
        inspect_settings s;
        option_table table("attnlab inspect", "What a file or a model's folder is, its sizes, and whether it is sound: exit 1 and one line if not.");
        declare(table, s);
        if (!read_options(table, arguments, std::cout)) return 0;
        inspect_command(s, [&](checkpoint_run const& run, safetensors_reader const& file) {
            load_weights(file, find(run.settings.policy).make_model(run.settings.model)->parameters());
        });
        return 0;
    }

    int benchmark(std::vector<std::string> const& arguments) {
        benchmark_settings s;
        option_table table("attnlab benchmark", "Times attention, a training step or the machine: lines `name value unit`.");
        declare(table, s);
        if (!read_options(table, arguments, std::cout)) return 0;
        check_benchmark(table, s);
        if (s.policies.empty())
            for (auto const& e : all_) s.policies.push_back(e.card.name);
        std::vector<experiment const*> chosen;
        for (auto const& name : s.policies) chosen.push_back(&find(name));
        benchmark_command(chosen, s);
        return 0;
    }

    int check(std::vector<std::string> const& arguments) {
        std::vector<std::string> names;
        option_table table("attnlab check", "Checks this program's own policies: kernel against reference, gradients against differences, causality.");
        table.add("policies", names, "which attentions; nothing: all of the program's own");
        if (!read_options(table, arguments, std::cout)) return 0;
        if (names.empty())
            for (auto const& e : all_)
                if (e.checked) names.push_back(e.card.name);
        if (names.empty()) fail("no policies of its own in this program; the library's are checked by its tests");
        bool passed = true;
        for (auto const& name : names) {
            auto const& e = find(name);
            if (!e.checked) fail<usage_error>("--policies: '", name, "': is not one of this program's own");
            passed = check_policy(*e.checked, std::cout, e.card.name) && passed;
        }
        return passed ? 0 : 1;
    }

    int policies(std::vector<std::string> const& arguments) {
        option_table table("attnlab policies", "The attentions there are: formula, parameters, source.");
        if (!read_options(table, arguments, std::cout)) return 0;
        for (auto const& e : all_) {
            std::cout << std::left << std::setw(20) << e.card.name << e.card.formula << '\n';
            auto const line = [](char const* what, std::string const& value) {
                if (!value.empty()) std::cout << std::string(20, ' ') << what << value << '\n';
            };
            line("learns ", joined(e.parameters));
            line("source ", e.card.source);
            line("also called ", joined(e.card.aliases));
        }
        return 0;
    }

    int sites(std::vector<std::string> const& arguments) {
        std::string name;
        index_t layers = 12;
        option_table table("attnlab sites", "The places an observer can look at, in order of a forward pass: name, axes, the paper's key, meaning.");
        table.positional("SITE", name, "one of them, by any of its names", false);
        table.add("layers", layers, "of the model that SITE is about", at_least{1});
        if (!read_options(table, arguments, std::cout)) return 0;
        sites_command(std::cout, name, layers);
        return 0;
    }

    int tokenize(std::vector<std::string> const& arguments) {
        tokenize_settings s;
        option_table table("attnlab tokenize", "Tokens of standard input, a JSON line for each of its lines; and back.");
        declare(table, s);
        if (!read_options(table, arguments, std::cout)) return 0;
        std::ios::sync_with_stdio(false);
        std::cin.tie(nullptr);
        tokenize_command(std::cin, std::cout, s);
        return 0;
    }

    std::vector<experiment> all_;
    std::size_t compared_ = 0;   // how many of them `reproduce` trains where it is not told otherwise
    std::vector<std::string> words_;
};

}  // namespace detail

/// Runs the command that the arguments name. Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by a signal.
int run_program(int argc, char** argv, std::vector<experiment> experiments, std::vector<experiment> others) {
    try {
        return detail::program(std::move(experiments), std::move(others), {argv, argv + argc}).run();
    } catch (interrupted const& e) {
        std::cerr << e.what() << std::endl;
        return 130;
    } catch (usage_error const& e) {
        std::cerr << "error: " << e.what() << std::endl;
        return 2;
    } catch (std::bad_alloc const&) {
        std::cerr << "error: out of memory: expected smaller sizes" << std::endl;
        return 1;
    } catch (std::exception const& e) {
        std::cerr << "error: " << e.what() << std::endl;
        return 1;
    }
}

}  // namespace attnlab
