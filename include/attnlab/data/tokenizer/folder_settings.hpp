#pragma once
#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/json_place.hpp>
#include <attnlab/data/tokens.hpp>
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
            if (json_place const at{&file, path}; at.has(role)) return object(at.at(role))["content"].get<std::string>();
        return std::nullopt;
    }

    /// Every token that the files name, none twice: by number in `added_tokens_decoder` (then with `id`), by role, in lists. With
    /// the flags of `added_tokens` where a file gives them. \throws error when one is neither a text nor an object with `content`
    std::vector<sorted_json> specials() const {
        std::vector<sorted_json> out;
        auto const add = [&](sorted_json entry, bool special) {
            entry.erase("__type");
            entry["special"] = entry.value("special", special);
            for (auto const& other : out)
                if (other["content"] == entry["content"]) return;
            out.push_back(std::move(entry));
        };
        for (auto const& [path, file] : files_) {
            json_place const at{&file, path};
            if (at.has("added_tokens_decoder")) {
                auto const decoder = at.at("added_tokens_decoder");
                require(decoder.value->is_object(), decoder.where, ": expected an object");
                for (auto const& [id, value] : decoder.value->items()) {
                    token number = 0;
                    bool const whole = std::from_chars(id.data(), id.data() + id.size(), number).ptr == id.data() + id.size();
                    require(whole, decoder.where, ": field '", id, "': expected the number of a token");
                    auto entry = object({&value, text(decoder.where, '.', id)});
                    entry["id"] = number;
                    add(std::move(entry), false);
                }
            }
            for (auto role : {"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"})
                if (at.has(role)) add(object(at.at(role)), true);
            if (at.has("additional_special_tokens"))
                for (auto const& extra : at.at("additional_special_tokens").elements()) add(object(extra), true);
        }
        return out;
    }

private:
    /// A text or an object, as an object. \throws error when a field that is read later is of another kind
    static sorted_json object(json_place const& at) {
        if (at.value->is_string()) return {{"content", *at.value}};
        at.get<std::string>("content");
        at.get<bool>("special", false);
        at.get<token>("id", 0);
        return *at.value;
    }

    std::vector<std::pair<std::string, sorted_json>> files_;
};

}  // namespace attnlab::tokenizers
