#pragma once
#include <iostream>
#include <string>
#include <vector>

#include <attnlab/cli/analyze_command.hpp>
#include <attnlab/cli/command.hpp>
#include <attnlab/cli/forward_command.hpp>
#include <attnlab/cli/inspect_command.hpp>
#include <attnlab/cli/open_model.hpp>
#include <attnlab/cli/perplexity_command.hpp>
#include <attnlab/cli/read_options.hpp>
#include <attnlab/cli/sites_command.hpp>
#include <attnlab/cli/tokenize_command.hpp>

/// \file
/// Commands that look at a model, an own run or a Hugging Face folder: options to settings. Include it in exactly one source file of a program.

namespace attnlab {

namespace detail {

inline int run_analyze(policy_catalogue const& policies, command_words const& arguments) {
    analyze_settings s;
    option_table table("attnlab analyze", "The outliers of a model in activations, attention and weights, found and shown: a page, figures, numbers.");
    declare(table, s);
    one_of const views{{"existence", "position", "lifecycle", "overlap"}};
    if (!arguments.empty() && !arguments[0].starts_with("-") && !views(arguments[0])) fail<usage_error>("VIEW: '", arguments[0], "': expected ", views.expected(""));
    if (!read_options(table, arguments, std::cout)) return 0;
    if (!views(s.what)) fail<usage_error>("VIEW: '", s.what, "': expected ", views.expected(""));
    if (s.out.empty()) s.out = "attnlab-" + s.what;
    auto const model = open_model(s.model, policies, s.device);
    analyze_command(std::move(s), *model);
    return 0;
}

inline int run_perplexity(policy_catalogue const& policies, command_words const& arguments) {
    perplexity_settings s;
    option_table table("attnlab perplexity", "Loss over windows of a text, as a model is and with its massive activations set to their mean or to zero.");
    declare(table, s);
    if (!read_options(table, arguments, std::cout)) return 0;
    for (auto const* name : {"layer", "factor", "above"})
        if (table.given(name) && s.intervene == "none") fail<usage_error>("--", name, ": says which massive activations to change: expected --intervene mean or zero beside it");
    auto const model = open_model(s.model, policies, s.device);
    perplexity_command(s, *model);
    return 0;
}

inline int run_forward(policy_catalogue const& policies, command_words const& arguments) {
    forward_settings s;
    option_table table("attnlab forward", "Passes tokens through a model and writes logits, and what stands at sites, as float32; masked scores are -inf.");
    declare(table, s);
    if (!read_options(table, arguments, std::cout)) return 0;
    auto const model = open_model(s.model, policies, s.device);
    forward_command(s, *model);
    return 0;
}

inline int run_tokenize(policy_catalogue const&, command_words const& arguments) {
    tokenize_settings s;
    option_table table("attnlab tokenize", "Tokens of standard input, a JSON line for each of its lines; and back.");
    declare(table, s);
    if (!read_options(table, arguments, std::cout)) return 0;
    std::ios::sync_with_stdio(false);
    std::cin.tie(nullptr);
    tokenize_command(std::cin, std::cout, s);
    return 0;
}

inline int run_inspect(policy_catalogue const& policies, command_words const& arguments) {
    inspect_settings s;
    option_table table("attnlab inspect", "What a file or a model's folder is, its sizes, and whether it is sound: exit 1 and one line if not.");
    declare(table, s);
    if (!read_options(table, arguments, std::cout)) return 0;
    inspect_command(s, [&](checkpoint_run const& run, safetensors_reader const& file) {
        load_weights(file, make_model(policies.find_trained(run.settings.policy, file.path()), run.settings, file.path())->parameters());
    });
    return 0;
}

inline int run_sites(policy_catalogue const&, command_words const& arguments) {
    std::string name;
    index_t layers = 12;
    option_table table("attnlab sites", "The places an observer can look at, in order of a forward pass: name, axes, the paper's key, meaning.");
    table.positional("SITE", name, "one of them, by any of its names", false);
    table.add("layers", layers, "of the model that SITE is about", at_least{1});
    if (!read_options(table, arguments, std::cout)) return 0;
    sites_command(std::cout, name, layers);
    return 0;
}

}  // namespace detail

std::vector<command> model_commands() {
    return {{"analyze", "outliers of a model: existence, position, lifecycle, overlap", detail::run_analyze},
            {"perplexity", "loss over windows of a text, as a model is and intervened upon", detail::run_perplexity},
            {"forward", "logits and whatever stands at sites, for other tools", detail::run_forward},
            {"tokenize", "text to a language model's tokens, and back", detail::run_tokenize},
            {"inspect", "what a model, checkpoint or file is, and whether it is sound", detail::run_inspect},
            {"sites", "the places an observer can look at", detail::run_sites}};
}

}  // namespace attnlab
