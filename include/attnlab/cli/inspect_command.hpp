#pragma once
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>

#include <attnlab/cli/checkpoint_model.hpp>
#include <attnlab/cli/inspect_file.hpp>
#include <attnlab/cli/inspect_model.hpp>
#include <attnlab/cli/inspection.hpp>
#include <attnlab/cli/options.hpp>

/// \file
/// `attnlab inspect PATH`: what a file or folder is, and whether it is sound.

namespace attnlab {

struct inspect_settings {
    std::filesystem::path path;
    index_t vocab = 0;
    bool values = false, json = false;
};

inline void declare(option_table& o, inspect_settings& s) {
    o.positional("PATH", s.path,
                 "a model's folder, a checkpoint, a .safetensors, a tokenizer.json or .model, a .bin of tokens, a .npy");
    o.add("vocab", s.vocab, "ids in a file of tokens are below this; 0: not known", at_least{0});
    o.add("values", s.values, "look for NaN and infinities in large files too");
    o.add("json", s.json, "as JSON, with every tensor of a .safetensors");
}

/// A checkpoint of attnlab, once `fits` has found its tensors to be those of its model. \throws error
inline inspection inspect_checkpoint(std::filesystem::path const& path, inspect_options const& options,
                                     std::function<void(checkpoint_run const&, safetensors_reader const&)> const& fits) {
    safetensors_reader const file(path);
    checkpoint_run run;
    try {
        run = read_checkpoint_run(path);
        fits(run, file);
    } catch (usage_error const& e) {  // what is wrong is not the command line: the file has a setting that nobody knows
        std::string const line = e.what();
        fail(line.starts_with(path.string()) ? "" : path.string() + ": ", line);
    }
    auto const& s = run.settings;
    inspection out{"checkpoint", json::object(), {}};
    out.facts = {{"policy", s.policy},
                 {"task", s.task},
                 {"step", run.state.iteration},
                 {"tokens_seen", run.state.tokens_seen},
                 {"written_by", run.state.written_by},
                 {"layers", s.model.n_layer},
                 {"width", s.model.n_embd},
                 {"heads", s.model.n_head},
                 {"vocabulary", s.model.vocab_size},
                 {"longest", s.model.block_size}};
    if (std::isfinite(run.state.best_val_loss)) out.facts["best_loss"] = run.state.best_val_loss;   // of --eval_iters, where there were any
    std::vector<stored_tensor> model, optimizer;
    for (auto const& t : file.tensors()) (detail::is_optimizer_array(t.name) ? optimizer : model).push_back(t);
    detail::describe_tensors(model, out);
    out.facts["optimizer_arrays"] = optimizer.size();
    detail::look_at_values(file.tensors(), options, out);
    return out;
}

/// Whatever lies at `path`. \throws error, one line, when it is broken or nothing that attnlab reads
inline inspection inspect(std::filesystem::path const& path, inspect_options const& options,
                          std::function<void(checkpoint_run const&, safetensors_reader const&)> const& fits) {
    namespace fs = std::filesystem;
    static constexpr char const* expected =
        "expected a model's folder, a checkpoint, a .safetensors, a tokenizer.json or .model, a .bin of tokens, or a .npy";
    require(fs::exists(path), path.string(), ": no such file or folder");
    auto const has = [&](char const* name) { return fs::exists(path / name); };
    if (fs::is_directory(path)) {
        if (has("ckpt.safetensors")) return inspect_checkpoint(path / "ckpt.safetensors", options, fits);
        if (has("config.json") || has("model.safetensors") || has("model.safetensors.index.json"))
            return inspect_model_folder(path, options);
        if (detail::has_tokenizer(path)) return inspect_tokenizer(path);
        fail(path.string(), ": ", expected);
    }
    auto const name = path.filename().string(), ending = path.extension().string();
    auto const folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (name == "config.json" || name == "model.safetensors.index.json") return inspect_model_folder(folder, options);
    if (ending == ".json" || ending == ".model") return inspect_tokenizer(path);
    if (ending == ".npy") return inspect_npy(path, options);
    if (ending == ".safetensors") {
        safetensors_reader const file(path);
        return file.metadata().contains("attnlab_version") ? inspect_checkpoint(path, options, fits)
                                                           : inspect_safetensors(file, options);
    }
    if (ending == ".bin") {
        mapped_file const file(path);
        require(file.size() < 4 || std::memcmp(file.bytes().data(), "PK\3\4", 4) != 0, path.string(),
                ": a PyTorch file (pickle): ", expected);
        return inspect_tokens(path, options);
    }
    fail(path.string(), ": ", expected);
}

inline void inspect_command(inspect_settings const& s,
                            std::function<void(checkpoint_run const&, safetensors_reader const&)> const& fits) {
    print_inspection(inspect(s.path, {s.vocab, s.values, {}}, fits), s.path, s.json, std::cout, std::cerr);
}

}  // namespace attnlab
