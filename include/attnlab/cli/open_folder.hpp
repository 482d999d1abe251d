#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include <attnlab/data/tokenizer.hpp>
#include <attnlab/observe/language_model.hpp>

namespace attnlab {

/// Whether a path is a Hugging Face folder: one with a config.json.
inline bool is_model_folder(std::filesystem::path const& path) { return std::filesystem::exists(path / "config.json"); }

/// The model in such a folder. Compiled once, beside the commands (cli/pretrained_models.hpp).
/// \throws error, one line that names file and field or tensor; usage_error, error where the device is not to be had
std::unique_ptr<language_model> open_folder(std::filesystem::path const& path, std::string const& device = "cpu");

/// Whether a folder has the files of a tokeniser.
inline bool has_tokenizer(std::filesystem::path const& path) {
    for (auto const* name : {"tokenizer.json", "tokenizer.model", "merges.txt"})
        if (std::filesystem::exists(path / name)) return true;
    return false;
}

/// The tokeniser in such a folder, or a file of one. \throws error naming the file and the field
std::shared_ptr<tokenizer const> open_tokenizer(std::filesystem::path const& path);

}  // namespace attnlab
