#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/json_place.hpp>
#include <attnlab/data/tokenizer/pipeline.hpp>
#include <attnlab/data/tokenizer/read_steps.hpp>

/// \file
/// A tokenizer.json of Hugging Face's tokenizers, version 1.0. `truncation` and `padding` belong to a call, and transformers
/// resets them: they are not read.

namespace attnlab::tokenizers {

/// `model.merges`: ["a", "b"], or "a b" in older files.
inline std::vector<bpe::merge> read_merges(json_place const& at) {
    require(at.value->is_array(), at.where, ": expected a list, found ", attnlab::detail::json_glimpse(*at.value));
    std::vector<bpe::merge> out;
    out.reserve(at.value->size());
    for (auto const& m : *at.value) {
        auto const expected = [&](bool good) {
            require(good, at.where, '[', out.size(), "]: expected two pieces, found ", attnlab::detail::json_glimpse(m));
        };
        if (m.is_string()) {
            auto const& both = m.get_ref<std::string const&>();
            auto const space = both.find(' ');
            expected(space != both.npos && both.find(' ', space + 1) == both.npos);
            out.emplace_back(both.substr(0, space), both.substr(space + 1));
        } else {
            expected(m.is_array() && m.size() == 2 && m[0].is_string() && m[1].is_string());
            out.emplace_back(m[0].get_ref<std::string const&>(), m[1].get_ref<std::string const&>());
        }
    }
    return out;
}

/// `model`
inline void read_model(json_place const& at, pipeline_parts& out) {
    at.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
             "ignore_merges", "vocab", "merges"});
    auto const type = at.get<std::string>("type", "BPE");
    require(type == "BPE", at.where, ": field 'type': '", type, "' is not supported: expected BPE");
    for (auto name : {"continuing_subword_prefix", "end_of_word_suffix"})
        require(at.get<std::string>(name, "").empty(), at.where, ": field '", name, "' is not supported: expected none");
    require(at.get<double>("dropout", 0) == 0, at.where, ": field 'dropout': expected none: it draws tokens at random");

    auto const vocab = at.at("vocab");
    require(vocab.value->is_object(), vocab.where, ": expected an object, found ", attnlab::detail::json_glimpse(*vocab.value));
    std::vector<std::pair<std::string, token>> entries;
    entries.reserve(vocab.value->size());
    for (auto const& [piece, id] : vocab.value->items()) entries.emplace_back(piece, json_as<token>(id, vocab.where, piece));
    out.pieces = std::make_unique<vocabulary const>(std::move(entries), vocab.where);

    bpe_options options;
    if (at.has("unk_token")) options.unknown = at.get<std::string>("unk_token");
    options.fuse_unknown = at.get<bool>("fuse_unk", false);
    options.byte_fallback = at.get<bool>("byte_fallback", false);
    options.ignore_merges = at.get<bool>("ignore_merges", false);
    out.model = std::make_unique<bpe const>(*out.pieces, read_merges(at.at("merges")), std::move(options), at.where);
}

/// `added_tokens`, after the model and the normaliser
inline void read_added_tokens(json_place const& at, pipeline_parts& out) {
    if (at.null()) return;
    // The library numbers them itself and only warns where the file says otherwise.
    auto next = static_cast<token>(out.pieces->size());
    std::unordered_set<std::string> seen;
    for (auto const& entry : at.elements()) {
        entry.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
        added_token t;
        t.content = entry.get<std::string>("content");
        if (t.content.empty()) continue;
        require(seen.insert(t.content).second, entry.where, ": '", t.content, "' is there twice");
        t.id = entry.get<token>("id");
        auto const in_model = out.pieces->find(t.content);
        auto const expected = in_model ? *in_model : next++;
        require(t.id == expected, entry.where, ": '", t.content, "': field 'id': ", t.id, ": expected ", expected,
                in_model ? ", its token in model.vocab" : ", the next after the vocabulary");
        t.special = entry.get<bool>("special", false);
        t.single_word = entry.get<bool>("single_word", false);
        t.left_strip = entry.get<bool>("lstrip", false);
        t.right_strip = entry.get<bool>("rstrip", false);
        t.normalized = entry.get<bool>("normalized", !t.special);
        std::string normal;
        t.sought = t.normalized ? std::string(out.normalize(t.content, normal)) : t.content;
        out.added.push_back(std::move(t));
    }
}

/// `post_processor`
inline void read_template(json_place const& at, sequence_template& out) {
    static std::vector<step_reader<sequence_template>> const known{
        {"Sequence",
         {"processors"},
         [](json_place const& a, sequence_template& o) {
             for (auto const& step : a.at("processors").elements()) read_template(step, o);
         }},
        {"ByteLevel",
         {"add_prefix_space", "trim_offsets", "use_regex"},
         [](json_place const&, sequence_template&) {}},  // offsets only
        {"TemplateProcessing",
         {"single", "pair", "special_tokens"},
         [](json_place const& a, sequence_template& o) {
             auto const tokens = a.at("special_tokens");
             sequence_template here;
             int sequences = 0;
             for (auto const& item : a.at("single").elements()) {
                 item.only({"Sequence", "SpecialToken"});
                 if (item.has("Sequence")) {
                     ++sequences;
                     continue;
                 }
                 auto const name = item.at("SpecialToken").get<std::string>("id");
                 auto const ids = tokens.at(name).get<std::vector<token>>("ids");
                 auto& side = sequences == 0 ? here.before : here.after;
                 side.insert(side.end(), ids.begin(), ids.end());
             }
             require(sequences == 1, a.where, ".single: expected one Sequence, found ", sequences);
             o.before.insert(o.before.begin(), here.before.begin(), here.before.end());  // a later one goes around an earlier one
             o.after.insert(o.after.end(), here.after.begin(), here.after.end());
         }},
    };
    if (!at.null()) read_step(at, out, known);
}

/// The parts that a parsed file describes. \throws error naming `where` and the field
inline pipeline_parts read_pipeline(sorted_json const& file, std::string const& where) {
    json_place const at{&file, where};
    require(!file.is_object() || file.contains("model"), where, ": no tokeniser: expected a tokenizer.json, with the field 'model'");
    at.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
             "model"});
    auto const version = at.get<std::string>("version", "1.0");
    require(version == "1.0", where, ": field 'version': '", version, "' is not supported: expected 1.0");
    pipeline_parts out;
    read_model(at.at("model"), out);
    read_normalizer(at.at("normalizer"), out.normalize);
    read_pre_tokenizer(at.at("pre_tokenizer"), out.split);
    read_template(at.at("post_processor"), out.around);
    read_decoder(at.at("decoder"), out.decode);
    read_added_tokens(at.at("added_tokens"), out);
    return out;
}

}  // namespace attnlab::tokenizers
