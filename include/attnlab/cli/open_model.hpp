#pragma once
#include <filesystem>
#include <memory>

#include <attnlab/cli/checkpoint_language_model.hpp>
#include <attnlab/models/pretrained.hpp>

namespace attnlab {

/// A Hugging Face folder (it has a config.json), a run's folder or its checkpoint.
/// \param find  the experiment of a policy's name, for own checkpoints
/// \throws error, one line that names the file
template <class Find>
std::unique_ptr<language_model> open_model(std::filesystem::path const& path, Find const& find) {
    require(std::filesystem::exists(path), path.string(), ": not there: expected a model folder with config.json, a run's folder or its checkpoint");
    if (std::filesystem::exists(path / "config.json")) return open_pretrained(path);
    auto const checkpoint = checkpoint_path(path);
    require(std::filesystem::exists(checkpoint), path.string(), ": expected config.json (a model) or ckpt.safetensors (a run) in it");
    return std::make_unique<checkpoint_language_model>(checkpoint, find);
}

}  // namespace attnlab
