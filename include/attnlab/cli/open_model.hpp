#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include <attnlab/cli/checkpoint_language_model.hpp>
#include <attnlab/cli/command.hpp>
#include <attnlab/cli/open_folder.hpp>

namespace attnlab {

/// A Hugging Face folder (it has a config.json), a run's folder or its checkpoint, under the policy it was trained with.
/// \throws error, one line that names the file
inline std::unique_ptr<language_model> open_model(std::filesystem::path const& path, policy_catalogue const& policies, std::string const& device = "cpu") {
    require(std::filesystem::exists(path), path.string(), ": not there: expected a model folder with config.json, a run's folder or its checkpoint");
    if (is_model_folder(path)) return open_folder(path, device);
    auto const checkpoint = checkpoint_path(path);
    require(std::filesystem::exists(checkpoint), path.string(), ": expected config.json (a model) or ckpt.safetensors (a run) in it");
    return std::make_unique<checkpoint_language_model>(checkpoint, policies, device);
}

}  // namespace attnlab
