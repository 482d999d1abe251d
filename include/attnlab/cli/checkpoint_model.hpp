#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/cli/run_settings.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/train/checkpoint.hpp>

/// \file
/// A run taken from its checkpoint: the settings it was trained with, for `evaluate` and `generate`.

namespace attnlab {

/// What a checkpoint says of its run.
struct checkpoint_run {
    run_settings settings;
    std::optional<std::vector<std::uint32_t>> code_points;   ///< of a text's characters
    std::string data_file;                                   ///< fingerprint of the file with its evaluation sequences; empty: not known
    training_state state;
};

/// The file itself, or ckpt.safetensors in a run's folder. \throws usage_error for a folder of Hugging Face
inline std::filesystem::path checkpoint_path(std::filesystem::path const& given) {
    if (!std::filesystem::is_directory(given)) return given;
    auto const path = given / "ckpt.safetensors";
    if (!std::filesystem::exists(path) && std::filesystem::exists(given / "config.json"))
        fail<usage_error>(given.string(), ": a folder of Hugging Face: expected a run (`train --init_from ", given.string(), "` begins one with its weights)");
    return path;
}

namespace detail {

/// Sizes that a file states are believed, and memory is taken for a model of them, only when its tensors are of these sizes.
inline void check_sizes(safetensors_reader const& file, gpt_config const& c) {
    auto const expect = [&](std::string const& name, std::vector<index_t> const& shape) {
        auto const& t = file.at(name);
        require(t.shape == shape, t.where(), ": shape ", shape_text(t.shape), ": expected ", shape_text(shape), " from the checkpoint's config");
    };
    expect("transformer.wte.weight", {c.vocab_size, c.n_embd});
    expect("transformer.wpe.weight", {c.block_size, c.n_embd});
    for (index_t l = 0; l < c.n_layer; ++l) file.at(text("transformer.h.", l, ".mlp.c_fc.weight"));
}

}  // namespace detail

/// A run from the options kept in its checkpoint. \param where  for errors
inline checkpoint_run read_run_options(std::string const& config, std::string const& where) {
    checkpoint_run run;
    json const options = parse_json_text(config, where);
    require(options.is_object() && options.contains("policy"), where, ": expected the options of `attnlab train`");
    option_table table("", "");
    declare(table, run.settings);
    for (auto const& [name, value] : options.items()) {
        if (name == "code_points") {
            run.code_points = json_as<std::vector<std::uint32_t>>(value, where, name);
            continue;
        }
        if (name == "data_file") {
            run.data_file = json_as<std::string>(value, where, name);
            continue;
        }
        if (name == "family") {
            run.settings.family = value.dump();
            continue;
        }
        std::string given = value.is_string() ? value.get<std::string>() : value.dump();
        if (value.is_array()) given = joined(json_as<std::vector<std::string>>(value, where, name), ",");
        table.set(name, given, where + ": ");
    }
    return run;
}

/// \throws error naming the file when it is no checkpoint of `attnlab train`
inline checkpoint_run read_checkpoint_run(std::filesystem::path const& path) {
    safetensors_reader const file(path);
    auto state = read_training_state(file);
    auto run = read_run_options(state.config, path.string() + ": config");
    run.state = std::move(state);
    run.settings.device = "cpu";   // whatever it was trained on: a command says where it runs
    settle(run.settings);
    if (run.settings.family.empty()) detail::check_sizes(file, run.settings.model);   // a family's decoder looks for itself
    return run;
}

}  // namespace attnlab
