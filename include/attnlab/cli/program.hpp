#pragma once
#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <attnlab/cli/benchmark_command.hpp>
#include <attnlab/cli/command.hpp>
#include <attnlab/cli/experiment_main.hpp>
#include <attnlab/cli/read_options.hpp>
#include <attnlab/kernels/check_policy.hpp>
#include <attnlab/train/interrupt.hpp>
#include <attnlab/train/mpirun.hpp>

/// \file
/// The program around policies: names to commands, errors to one line and an exit status. Include it in exactly one source file of a
/// program; attnlab_add_experiment(name main.cpp) in CMake does that beside the file with main, so that a change of a policy does not
/// compile the commands again.

namespace attnlab {

namespace detail {

/// A rank whose command the first one does.
struct not_needed {};

inline int run_benchmark(policy_catalogue const& policies, command_words const& arguments) {
    benchmark_settings s;
    option_table table("attnlab benchmark", "Times attention, a training step or the machine: lines `name value unit`.");
    declare(table, s);
    if (!read_options(table, arguments, std::cout)) return 0;
    check_benchmark(table, s);
    if (s.policies.empty())
        for (auto const& e : policies.all()) s.policies.push_back(e.card.name);
    benchmark_command(policies.find(s.policies), s);
    return 0;
}

inline int run_check(policy_catalogue const& policies, command_words const& arguments) {
    std::vector<std::string> names;
    std::string device = "cpu";
    option_table table("attnlab check", "Checks this program's own policies: kernel against reference, gradients against differences, causality.");
    table.add("policies", names, "which attentions; nothing: all of the program's own");
    declare_device(table, device);
    if (!read_options(table, arguments, std::cout)) return 0;
    if (names.empty())
        for (auto const& e : policies.all())
            if (e.checked) names.push_back(e.card.name);
    if (names.empty()) fail("no policies of its own in this program; the library's are checked by its tests");
    use_device(device);
    bool passed = true;
    for (auto const* e : policies.find(names)) {
        if (!e->checked) fail<usage_error>("--policies: '", e->card.name, "': is not one of this program's own");
        passed = check_policy(device == "cuda" ? *e->checked_on_cuda : *e->checked, std::cout, e->card.name) && passed;
    }
    return passed ? 0 : 1;
}

inline int run_policies(policy_catalogue const& policies, command_words const& arguments) {
    option_table table("attnlab policies", "The attentions there are: formula, parameters, source.");
    if (!read_options(table, arguments, std::cout)) return 0;
    for (auto const& e : policies.all()) {
        std::cout << std::left << std::setw(20) << e.card.name << e.card.formula << '\n';
        auto const line = [](char const* what, std::string const& value) {
            if (!value.empty()) std::cout << std::string(20, ' ') << what << value << '\n';
        };
        line("learns ", joined(e.parameters));
        line("trains ", e.in_families.empty() ? "" : "GPTs and, with --init_from, families of Hugging Face");
        line("source ", e.card.source);
        line("also called ", joined(e.card.aliases));
    }
    return 0;
}

inline std::vector<command> all_commands() {
    auto out = run_commands();
    for (auto& c : model_commands()) out.push_back(std::move(c));
    out.push_back({"benchmark", "attention, a training step, the machine: lines `name value unit`", run_benchmark});
    out.push_back({"check", "a program's own policies against reference, differences, causality", run_check});
    out.push_back({"policies", "the attentions there are", run_policies});
    return out;
}

/// All commands but train are for one process: of those that mpirun started, the first goes on alone.
inline void be_first_alone(std::string const& name) {
    auto const [rank, size] = told_by_mpirun();
    if (size == 1) return;
    if (rank > 0) throw not_needed{};
    std::cerr << name << ": of " << size << " ranks the first runs it alone" << std::endl;
    forget_mpirun();
}

/// Says why the program ends. What is wrong for all ranks the first one says; the others wait, and speak where it did not end them.
inline int end(int status, std::string const& line) {
    auto const [rank, size] = told_by_mpirun();
    if (rank > 0) std::this_thread::sleep_for(std::chrono::seconds(3));
    std::cerr << (rank > 0 ? text("rank ", rank, ": ") : "") << line << std::endl;
    if (rank == 0 && size > 1) std::this_thread::sleep_for(std::chrono::milliseconds(300));   // so that nobody takes it for lost
    return status;
}

inline int run_command(policy_catalogue const& policies, std::vector<std::string> words) {
    auto const commands = all_commands();
    std::string const name = words.empty() ? "--help" : words.front();
    if (name == "--help" || name == "-h" || name == "help") {
        be_first_alone(name);
        std::cout << "usage: " << program_name() << " COMMAND [--option value ...]\n\n";
        for (auto const& c : commands) std::cout << "  " << std::left << std::setw(12) << c.name << c.help << '\n';
        std::cout << "\nCOMMAND --help lists its options.\n";
        return 0;
    }
    if (name == "--version") {
        std::cout << "attnlab " << version << '\n';
        return 0;
    }
    std::vector<std::string> names;
    for (auto const& c : commands) {
        if (c.name == name && name != "train") be_first_alone(name);
        if (c.name == name) return c.run(policies, {words.begin() + 1, words.end()});
        names.push_back(c.name);
    }
    auto const near = nearest_names(name, names);
    fail<usage_error>("'", name, "': unknown command; ", near.empty() ? "--help lists them all" : "nearest: " + joined(near));
}

}  // namespace detail

/// Runs the command that the arguments name. Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by a signal.
int run_program(int argc, char** argv, std::vector<experiment> experiments, std::vector<experiment> others) {
    try {
        if (argc > 0) program_name() = std::filesystem::path(argv[0]).filename().string();
        int const status = detail::run_command(policy_catalogue(std::move(experiments), std::move(others)), {argv + std::min(1, argc), argv + argc});
        require(std::cout.flush().good(), "standard output: cannot be written to the end");
        return status;
    } catch (detail::not_needed) {
        return 0;
    } catch (interrupted const& e) {
        std::cerr << e.what() << std::endl;
        return 130;
    } catch (usage_error const& e) {
        return detail::end(2, text("error: ", e.what()));
    } catch (std::bad_alloc const&) {
        return detail::end(1, "error: out of memory: expected smaller sizes");
    } catch (std::exception const& e) {
        return detail::end(1, text("error: ", e.what()));
    }
}

}  // namespace attnlab
