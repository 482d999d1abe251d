#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer.hpp>
#include <attnlab/data/tokenizer/classic_folder.hpp>
#include <attnlab/data/tokenizer/folder_settings.hpp>
#include <attnlab/data/tokenizer/pipeline.hpp>
#include <attnlab/data/tokenizer/read_json.hpp>
#include <attnlab/data/tokenizer/sentencepiece.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// A tokeniser from what people have on disk. Heavy (JSON, PCRE2, SentencePiece): include it where one is loaded, and
/// attnlab/data/tokenizer.hpp elsewhere.

namespace attnlab {

namespace tokenizers {

/// The tokeniser of a parsed tokenizer.json. BOS and EOS are those that the settings name; without a name, what the template puts
/// at the ends. \throws error naming `where` and the field
inline std::shared_ptr<tokenizer const> make_tokenizer(sorted_json const& file, std::string const& where,
                                                       folder_settings const& settings) {
    auto parts = read_pipeline(file, where);
    auto const named = [&](std::string const& role) -> std::optional<token> {
        auto const content = settings.special(role);
        if (!content) return std::nullopt;
        for (auto const& t : parts.added)
            if (t.content == *content) return t.id;
        return parts.pieces->find(*content);
    };
    parts.bos = named("bos_token");
    parts.eos = named("eos_token");
    if (!parts.bos && !parts.around.before.empty()) parts.bos = parts.around.before.front();
    if (!parts.eos && !parts.around.after.empty()) parts.eos = parts.around.after.back();
    return std::make_shared<pipeline const>(std::move(parts), where);
}

}  // namespace tokenizers

/// Reads a tokenizer.json, a tokenizer.model (SentencePiece), or a model's folder that holds one of them (the first is
/// preferred), or vocab.json and merges.txt. \throws error naming the file and the field
inline std::shared_ptr<tokenizer const> load_tokenizer(std::filesystem::path const& path) {
    namespace fs = std::filesystem;
    using namespace tokenizers;
    bool const is_folder = fs::is_directory(path);
    folder_settings const settings(is_folder ? path : path.parent_path());
    auto const from_json = [&](fs::path const& file) {
        return make_tokenizer(parse_json<sorted_json>(file), file.string(), settings);
    };
    auto const from_sentencepiece = [&](fs::path const& file) -> std::shared_ptr<tokenizer const> {
        return std::make_shared<sentencepiece_model const>(file, settings.get<bool>("add_bos_token", true),
                                                           settings.get<bool>("add_eos_token", false));
    };
    if (!is_folder) {
        if (path.extension() == ".model") return from_sentencepiece(path);
        require(path.extension() == ".json", path.string(), ": expected a folder, a tokenizer.json or a tokenizer.model");
        return from_json(path);
    }
    auto const there = [&](char const* name) { return fs::is_regular_file(path / name); };
    if (there("tokenizer.json")) return from_json(path / "tokenizer.json");
    if (there("tokenizer.model")) return from_sentencepiece(path / "tokenizer.model");
    require(there("vocab.json") && there("merges.txt"), path.string(),
            ": no tokeniser: expected tokenizer.json, tokenizer.model, or vocab.json and merges.txt");
    return make_tokenizer(classic_folder(path, settings), (path / "vocab.json").string() + " and merges.txt", settings);
}

}  // namespace attnlab
