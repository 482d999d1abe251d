#pragma once
#include <algorithm>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/folder_settings.hpp>
#include <attnlab/data/tokens.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// Folders from before tokenizer.json (GPT-2, OPT): vocab.json and merges.txt, as the tokenizer.json that transformers makes of
/// them.

namespace attnlab::tokenizers {

/// merges.txt: a line "a b" each, and "#version" lines. \throws error naming the line
inline sorted_json read_merges_txt(std::filesystem::path const& path) {
    std::istringstream lines(read_text(path));
    sorted_json out = sorted_json::array();
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (line.ends_with('\r')) line.pop_back();
        if (line.empty() || line.starts_with("#version")) continue;
        require(std::count(line.begin(), line.end(), ' ') == 1, path.string(), ": line ", number,
                ": expected two pieces and a space between them");
        out.push_back(std::move(line));
    }
    return out;
}

/// `added_tokens`: what the settings and added_tokens.json name, in order of number. Those of the vocabulary have their number
/// from it, the others from added_tokens.json or added_tokens_decoder, or they go on from the vocabulary.
inline sorted_json classic_added_tokens(std::filesystem::path const& folder, sorted_json const& vocab,
                                        folder_settings const& settings) {
    auto const path = folder / "added_tokens.json";
    sorted_json const numbers = std::filesystem::is_regular_file(path) ? parse_json<sorted_json>(path) : sorted_json::object();
    require(numbers.is_object(), path.string(), ": expected a JSON object");

    auto named = settings.specials();
    auto const add = [&](std::string const& content, bool special) {
        auto const same = [&](sorted_json const& other) { return other["content"] == content; };
        if (std::none_of(named.begin(), named.end(), same)) named.push_back({{"content", content}, {"special", special}});
    };
    for (auto const& entry : numbers.items()) add(entry.key(), false);
    if (named.empty() && vocab.contains("<|endoftext|>")) add("<|endoftext|>", true);

    constexpr auto unnumbered = std::numeric_limits<token>::max();
    auto const number = [&](sorted_json const& entry) {
        auto const& content = entry["content"].get_ref<std::string const&>();
        auto const elsewhere = field_or<token>(numbers, path.string(), content, entry.value("id", unnumbered));
        return field_or<token>(vocab, (folder / "vocab.json").string(), content, elsewhere);
    };
    std::stable_sort(named.begin(), named.end(), [&](auto const& a, auto const& b) { return number(a) < number(b); });
    auto next = vocab.size();
    for (auto& entry : named) {
        entry["id"] = number(entry) == unnumbered ? sorted_json(next) : sorted_json(number(entry));
        if (!vocab.contains(entry["content"].get_ref<std::string const&>())) ++next;
    }
    return named;
}

/// `post_processor`: BOS, where the settings ask for it
inline sorted_json classic_template(std::filesystem::path const& folder, sorted_json const& added,
                                    folder_settings const& settings) {
    if (!settings.get<bool>("add_bos_token", false)) return nullptr;
    auto const bos = settings.special("bos_token");
    for (auto const& entry : added)
        if (bos && entry["content"] == *bos)
            return {{"type", "TemplateProcessing"},
                    {"single", {{{"SpecialToken", {{"id", *bos}}}}, {{"Sequence", {{"id", "A"}}}}}},
                    {"special_tokens", {{*bos, {{"ids", {entry["id"]}}}}}}};
    fail((folder / "tokenizer_config.json").string(), ": field 'bos_token' is missing: add_bos_token needs it");
}

/// The folder as a tokenizer.json. \throws error naming the file and the field: a class of tokeniser that splits otherwise
inline sorted_json classic_folder(std::filesystem::path const& folder, folder_settings const& settings) {
    auto const name = settings.get<std::string>("tokenizer_class", "GPT2Tokenizer");
    bool const qwen = name.starts_with("Qwen2Tokenizer");
    bool const known =
        qwen || name.starts_with("GPT2Tokenizer") || name.starts_with("CodeGenTokenizer") || name.starts_with("GPTNeoXTokenizer");
    require(known, (folder / "tokenizer_config.json").string(), ": field 'tokenizer_class': '", name,
            "' is not supported without a tokenizer.json: expected GPT2Tokenizer, CodeGenTokenizer, GPTNeoXTokenizer or "
            "Qwen2Tokenizer");
    auto vocab = parse_json<sorted_json>(folder / "vocab.json");
    require(vocab.is_object(), (folder / "vocab.json").string(), ": expected a JSON object");
    auto added = classic_added_tokens(folder, vocab, settings);
    auto around = classic_template(folder, added, settings);

    constexpr auto qwen_words =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    sorted_json normalizer,
        pre_tokenizer = {
            {"type", "ByteLevel"}, {"add_prefix_space", settings.get<bool>("add_prefix_space", false)}, {"use_regex", !qwen}};
    if (qwen) {
        normalizer = {{"type", "NFC"}};
        sorted_json const words = {{"type", "Split"}, {"pattern", {{"Regex", qwen_words}}}, {"behavior", "Isolated"}};
        pre_tokenizer = {{"type", "Sequence"}, {"pretokenizers", {words, pre_tokenizer}}};
    }
    return {{"version", "1.0"},
            {"added_tokens", std::move(added)},
            {"normalizer", std::move(normalizer)},
            {"pre_tokenizer", std::move(pre_tokenizer)},
            {"post_processor", std::move(around)},
            {"decoder", {{"type", "ByteLevel"}}},
            {"model", {{"type", "BPE"}, {"vocab", std::move(vocab)}, {"merges", read_merges_txt(folder / "merges.txt")}}}};
}

}  // namespace attnlab::tokenizers
