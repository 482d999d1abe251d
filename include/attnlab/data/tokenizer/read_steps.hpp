#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/decode.hpp>
#include <attnlab/data/tokenizer/json_place.hpp>
#include <attnlab/data/tokenizer/normalize.hpp>
#include <attnlab/data/tokenizer/pre_tokenize.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>

/// \file
/// The steps of a tokenizer.json, by the types and fields that Hugging Face's tokenizers writes. One that is not in these tables
/// is an error.

namespace attnlab::tokenizers {

/// How a step of a type becomes a part of Out.
template <class Out>
struct step_reader {
    std::string_view type;
    std::vector<std::string_view> fields;  // besides "type"
    void (*read)(json_place const&, Out&);
};

/// \throws error naming the type, or the field that its reader does not know
template <class Out>
void read_step(json_place const& at, Out& out, std::vector<step_reader<Out>> const& known) {
    auto const type = at.get<std::string>("type");
    std::vector<std::string_view> types;
    for (auto const& reader : known) {
        types.push_back(reader.type);
        if (reader.type != type) continue;
        auto fields = reader.fields;
        fields.push_back("type");
        at.only(fields);
        return reader.read(at, out);
    }
    fail(at.where, ": field 'type': '", type, "' is not supported: expected ", joined(types));
}

/// {"String": ...} or {"Regex": ...}
inline pattern read_pattern(json_place const& at) {
    at.only({"String", "Regex"});
    require(at.value->size() == 1, at.where, ": expected String or Regex");
    return at.has("Regex") ? pattern::regex(at.get<std::string>("Regex"), at.where + ".Regex")
                           : pattern::literal(at.get<std::string>("String"), at.where);
}

inline replace read_replace(json_place const& at) { return {read_pattern(at.at("pattern")), at.get<std::string>("content")}; }

/// A field that holds one character.
inline std::string read_character(json_place const& at, std::string const& name) {
    auto const out = at.get<std::string>(name);
    require(!out.empty() && first_character(out).size() == out.size(), at.where, ": field '", name, "': '", out,
            "': expected one character");
    return out;
}

inline delimiter read_delimiter(json_place const& at, std::string const& otherwise) {
    std::vector<std::string> const names{"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                         "Contiguous"};  // in delimiter's order
    auto const name = otherwise.empty() ? at.get<std::string>("behavior") : at.get<std::string>("behavior", otherwise);
    auto const found = std::find(names.begin(), names.end(), name);
    require(found != names.end(), at.where, ": field 'behavior': '", name, "': expected ", joined(names));
    return static_cast<delimiter>(found - names.begin());
}

/// What Metaspace puts in front: "first", "always" or "never".
inline std::string read_prepend_scheme(json_place const& at) {
    auto const scheme = at.get<std::string>("prepend_scheme", at.get<bool>("add_prefix_space", true) ? "always" : "never");
    require(scheme == "first" || scheme == "always" || scheme == "never", at.where, ": field 'prepend_scheme': '", scheme,
            "': expected first, always or never");
    require(scheme == "never" || at.get<bool>("add_prefix_space", true), at.where,
            ": field 'add_prefix_space': false: expected prepend_scheme 'never'");
    return scheme;
}

/// `normalizer`
inline void read_normalizer(json_place const& at, normalizer& out) {
    static constexpr auto form = [](auto... options) {
        return unicode_form{static_cast<utf8proc_option_t>((0 | ... | options))};
    };
    static std::vector<step_reader<normalizer>> const known{
        {"Sequence",
         {"normalizers"},
         [](json_place const& a, normalizer& o) {
             for (auto const& step : a.at("normalizers").elements()) read_normalizer(step, o);
         }},
        {"NFC", {}, [](json_place const&, normalizer& o) { o.steps.emplace_back(form(UTF8PROC_COMPOSE)); }},
        {"NFD", {}, [](json_place const&, normalizer& o) { o.steps.emplace_back(form(UTF8PROC_DECOMPOSE)); }},
        {"NFKC", {}, [](json_place const&, normalizer& o) { o.steps.emplace_back(form(UTF8PROC_COMPOSE, UTF8PROC_COMPAT)); }},
        {"NFKD", {}, [](json_place const&, normalizer& o) { o.steps.emplace_back(form(UTF8PROC_DECOMPOSE, UTF8PROC_COMPAT)); }},
        {"Prepend",
         {"prepend"},
         [](json_place const& a, normalizer& o) { o.steps.emplace_back(prepend{a.get<std::string>("prepend")}); }},
        {"Replace", {"pattern", "content"}, [](json_place const& a, normalizer& o) { o.steps.emplace_back(read_replace(a)); }},
        {"ByteLevel", {}, [](json_place const&, normalizer& o) { o.steps.emplace_back(byte_characters{}); }},
    };
    if (!at.null()) read_step(at, out, known);
}

/// `pre_tokenizer`
inline void read_pre_tokenizer(json_place const& at, pre_tokenizer& out) {
    static std::vector<step_reader<pre_tokenizer>> const known{
        {"Sequence",
         {"pretokenizers"},
         [](json_place const& a, pre_tokenizer& o) {
             for (auto const& step : a.at("pretokenizers").elements()) read_pre_tokenizer(step, o);
         }},
        {"ByteLevel",
         {"add_prefix_space", "trim_offsets", "use_regex"},
         [](json_place const& a, pre_tokenizer& o) {
             constexpr auto gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
             if (a.get<bool>("add_prefix_space", true)) o.steps.emplace_back(prefix_step{" ", false});
             if (a.get<bool>("use_regex", true))
                 o.steps.emplace_back(split_step{{pattern::regex(gpt2, a.where), delimiter::isolated, false}});
             o.steps.emplace_back(byte_step{});
         }},
        {"Split",
         {"pattern", "behavior", "invert"},
         [](json_place const& a, pre_tokenizer& o) {
             o.steps.emplace_back(
                 split_step{{read_pattern(a.at("pattern")), read_delimiter(a, ""), a.get<bool>("invert", false)}});
         }},
        {"Digits",
         {"individual_digits"},
         [](json_place const& a, pre_tokenizer& o) {
             auto const behavior = a.get<bool>("individual_digits", false) ? delimiter::isolated : delimiter::contiguous;
             o.steps.emplace_back(split_step{{pattern::regex(R"(\p{N})", a.where), behavior, false}});
         }},
        {"Punctuation",
         {"behavior"},
         [](json_place const& a, pre_tokenizer& o) {
             o.steps.emplace_back(
                 split_step{{pattern::regex(R"([\p{P}$+<=>^`|~])", a.where), read_delimiter(a, "Isolated"), false}});
         }},
        {"Metaspace",
         {"replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"},
         [](json_place const& a, pre_tokenizer& o) {
             auto const mark = read_character(a, "replacement"), scheme = read_prepend_scheme(a);
             o.steps.emplace_back(mark_spaces_step{mark});
             if (scheme != "never") o.steps.emplace_back(prefix_step{mark, scheme == "first"});
             if (a.get<bool>("split", true))
                 o.steps.emplace_back(split_step{{pattern::literal(mark, a.where), delimiter::merged_with_next, false}});
         }},
    };
    if (!at.null()) read_step(at, out, known);
}

/// `decoder`
inline void read_decoder(json_place const& at, decoder& out) {
    static std::vector<step_reader<decoder>> const known{
        {"Sequence",
         {"decoders"},
         [](json_place const& a, decoder& o) {
             for (auto const& step : a.at("decoders").elements()) read_decoder(step, o);
         }},
        {"ByteLevel",
         {"add_prefix_space", "trim_offsets", "use_regex"},
         [](json_place const&, decoder& o) { o.steps.emplace_back(bytes_of_pieces{}); }},
        {"Replace",
         {"pattern", "content"},
         [](json_place const& a, decoder& o) { o.steps.emplace_back(replace_in_pieces{read_replace(a)}); }},
        {"ByteFallback", {}, [](json_place const&, decoder& o) { o.steps.emplace_back(byte_fallback{}); }},
        {"Fuse", {}, [](json_place const&, decoder& o) { o.steps.emplace_back(fuse{}); }},
        {"Strip",
         {"content", "start", "stop"},
         [](json_place const& a, decoder& o) {
             o.steps.emplace_back(strip{read_character(a, "content"), a.get<std::size_t>("start"), a.get<std::size_t>("stop")});
         }},
        {"Metaspace",
         {"replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"},
         [](json_place const& a, decoder& o) {
             o.steps.emplace_back(spaces_of_marks{read_character(a, "replacement"), read_prepend_scheme(a) != "never"});
         }},
    };
    if (at.null()) return;
    out.present = true;
    read_step(at, out, known);
}

}  // namespace attnlab::tokenizers
