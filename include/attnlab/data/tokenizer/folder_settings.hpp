#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/json_place.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// What lies beside a tokeniser's own file: tokenizer_config.json, and special_tokens_map.json in older folders.

namespace attnlab::tokenizers {

class folder_settings {
public:
    /// \throws error naming the file, when one is there and is no JSON object
    explicit folder_settings(std::filesystem::path const& folder) {
        for (auto name : {"tokenizer_config.json", "special_tokens_map.json"}) {
            auto const path = folder / name;
            if (!std::filesystem::is_regular_file(path)) continue;
            files_.emplace_back(path.string(), parse_json<sorted_json>(path));
            require(files_.back().second.is_object(), path.string(), ": expected a JSON object");
        }
    }

    /// A setting of the first file that has it, else `otherwise`. \throws error when it is of another kind
    template <class T>
    T get(std::string const& name, T otherwise) const {
        for (auto const& [path, file] : files_)
            if (json_place const at{&file, path}; at.has(name)) return at.get<T>(name);
        return otherwise;
    }

    /// A special token by its role ("bos_token"), which files give as text or as an object with `content`.
    std::optional<std::string> special(std::string const& role) const {
        for (auto const& [path, file] : files_)
            if (json_place const at{&file, path}; at.has(role)) return content(at, role);
        return std::nullopt;
    }

    /// Every token that the files name: by role, in lists, and by number in `added_tokens_decoder`. In order, none twice; with
    /// the flags of `added_tokens` where a file gives them.
    std::vector<sorted_json> specials() const {
        std::vector<sorted_json> out;
        auto const add = [&](sorted_json entry, bool special) {
            entry.erase("__type");
            entry.erase("id");
            entry["special"] = entry.value("special", special);
            for (auto const& other : out)
                if (other["content"] == entry["content"]) return;
            out.push_back(std::move(entry));
        };
        for (auto const& [path, file] : files_) {
            json_place const at{&file, path};
            if (at.has("added_tokens_decoder"))
                for (auto const& [id, entry] : at.at("added_tokens_decoder").value->items()) {
                    content({&file["added_tokens_decoder"], path + ": added_tokens_decoder"}, id);
                    add(entry, false);
                }
            for (auto role : {"bos_token", "eos_token", "unk_token", "pad_token"})
                if (at.has(role)) add(object(at, role), true);
        }
        return out;
    }

private:
    static std::string content(json_place const& at, std::string const& name) {
        return object(at, name)["content"].get<std::string>();
    }

    static sorted_json object(json_place const& at, std::string const& name) {
        auto const& value = (*at.value)[name];
        if (value.is_string()) return {{"content", value}};
        auto const place = at.at(name);
        require(value.is_object(), place.where, ": expected a text or an object with 'content'");
        place.get<std::string>("content");
        return value;
    }

    std::vector<std::pair<std::string, sorted_json>> files_;
};

}  // namespace attnlab::tokenizers
