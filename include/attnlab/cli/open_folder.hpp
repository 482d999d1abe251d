#pragma once
#include <filesystem>
#include <memory>

#include <attnlab/observe/language_model.hpp>

namespace attnlab {

/// Whether a path is a Hugging Face folder: one with a config.json.
inline bool is_model_folder(std::filesystem::path const& path) { return std::filesystem::exists(path / "config.json"); }

/// The model in such a folder. Compiled once, beside the commands (cli/pretrained_models.hpp).
/// \throws error, one line that names file and field or tensor
std::unique_ptr<language_model> open_folder(std::filesystem::path const& path);

}  // namespace attnlab
