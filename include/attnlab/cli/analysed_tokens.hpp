#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/cli/checkpoint_language_model.hpp>
#include <attnlab/cli/data_source.hpp>
#include <attnlab/data/tokenizer/load.hpp>
#include <attnlab/io/npy.hpp>

/// \file
/// Which sequences `analyze` shows a model: those of a file of tokens, of a text, or the evaluation sequences of an own run.

namespace attnlab {

struct sequence_options {
    std::filesystem::path text, tokens;
    bool bos = false;                   ///< sequences of a folder's text begin with BOS (an own run's always do)
    std::filesystem::path strings;      ///< JSON list of what each token stands for, where no tokenizer says it
    index_t sequences = 0, length = 0;  ///< 0: as many and as long as the source has, within reason
};

namespace detail {

/// "\n" as \n, a space as _; what cannot be printed as its bytes.
inline std::string shown_text(std::string const& decoded) {
    std::string out;
    for (char c : decoded) {
        if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (c == ' ')
            out += '_';
        else if (static_cast<unsigned char>(c) < 32 || c == 127)
            out += text("<", static_cast<int>(static_cast<unsigned char>(c)), ">");
        else
            out += c;
    }
    return out;
}

/// N windows of a stream, one after the other; with `bos` each begins with it.
inline tensor<token, 2> windows_of(std::vector<token> const& stream, std::string const& name, index_t N, index_t T,
                                   std::optional<token> bos = {}) {
    index_t const taken = T - (bos ? 1 : 0), have = static_cast<index_t>(stream.size());
    require(taken > 0 && have >= taken, name, ": ", have, " tokens: expected at least ", taken, ", one sequence of ", T);
    tensor<token, 2> x({std::min(N, have / taken), T});
    for (index_t n = 0; n < x.shape(0); ++n) {
        if (bos) x(n, 0) = *bos;
        std::copy_n(stream.begin() + n * taken, taken, &x(n, bos ? 1 : 0));
    }
    return x;
}

inline void check_ids(token_sequences const& x, index_t vocabulary) {
    for (index_t i = 0; i < x.ids.size(); ++i)
        if (token const id = x.ids.data()[i]; id < 0 || id >= vocabulary)
            fail(x.from, ": token ", id, " at position ", i, ": expected 0 to ", vocabulary - 1, ", the vocabulary of the model");
}

/// Rows of a (N, T) file are sequences; anything else is a stream that is cut into windows.
inline void read_tokens(token_sequences& x, sequence_options const& o, model_facts const& facts) {
    std::string const name = o.tokens.string();
    std::vector<token> stream;
    index_t rows = 0, columns = 0;
    if (o.tokens.extension() == ".npy") {
        npy_array const a(o.tokens);
        require(a.shape.size() == 1 || a.shape.size() == 2, name, ": ", a.shape.size(),
                " axes: expected tokens (N, T), or one stream");
        stream = a.as<token>();
        if (a.shape.size() == 2) rows = a.shape[0], columns = a.shape[1];
    } else {
        auto const all = load_bin(o.tokens, facts.vocabulary);
        index_t const wanted = (o.sequences > 0 ? o.sequences : 4) * (o.length > 0 ? o.length : 1024);
        for (index_t i = 0; i < std::min(all.size(), wanted); ++i) stream.push_back(all[i]);
    }
    require(!stream.empty(), name, ": empty: expected tokens");
    if (rows == 0) {
        index_t const T =
            o.length > 0
                ? o.length
                : std::min<index_t>({static_cast<index_t>(stream.size()), 1024, facts.longest > 0 ? facts.longest : 1024});
        x.ids = windows_of(stream, name, o.sequences > 0 ? o.sequences : 4, T);
        return;
    }
    require(o.length <= columns, name, ": sequences of ", columns, " tokens: expected at least ", o.length);
    x.ids.resize({o.sequences > 0 ? std::min(o.sequences, rows) : rows, o.length > 0 ? o.length : columns});
    for (index_t n = 0; n < x.ids.shape(0); ++n) std::copy_n(stream.begin() + n * columns, x.ids.shape(1), &x.ids(n, 0));
}

/// Sequences of an own run: those of its evaluation, or of another text in its vocabulary.
inline void read_own(token_sequences& x, sequence_options const& o, checkpoint_run const& run) {
    auto const& s = run.settings;
    index_t const T = o.length > 0 ? o.length : s.model.block_size;
    if (T > s.model.block_size)
        fail<usage_error>("--length: ", T, ": expected at most ", s.model.block_size, ", as the checkpoint was trained with");
    if (!o.text.empty()) {
        if (s.task != "text")
            fail<usage_error>("--text: expected a checkpoint that was trained on a text; this one's task is ", s.task);
        auto const words = s.level == "bytes" ? text_vocabulary::bytes()
                                              : text_vocabulary(run.code_points.value_or(std::vector<std::uint32_t>{}));
        x.ids = windows_of(words.encode(read_text(o.text), o.text.string()), o.text.string(), o.sequences > 0 ? o.sequences : 32,
                           T, words.bos());
        x.from = o.text.string();
        x.bos = true;
        x.text_of = [words](token id) {
            if (id == words.bos()) return token_text{"BOS", {}};
            token const one[] = {id};
            auto const decoded = words.decode(one);
            return token_text{shown_text(decoded), decoded};
        };
        return;
    }
    auto const data = std::make_shared<data_source const>(s, run.code_points);
    x.ids.resize({o.sequences > 0 ? o.sequences : 32, T});
    tensor<token, 2> whole({1, s.model.block_size}), next({1, s.model.block_size});
    for (index_t n = 0; n < x.ids.shape(0); ++n) {
        data->evaluation(static_cast<std::uint64_t>(n), whole, next);
        std::copy_n(whole.data(), T, &x.ids(n, 0));
    }
    x.from = "evaluation sequences of the run (" + s.task + ")";
    x.bos = s.task != "tokens";
    x.text_of = [data](token id) {
        auto const* words = data->vocabulary();
        if (!words || id == words->bos()) return token_text{data->label(id), {}};
        token const one[] = {id};
        return token_text{data->label(id), words->decode(one)};
    };
}

/// The folder's tokeniser, or null where it has none.
inline std::shared_ptr<tokenizer const> tokenizer_of(std::filesystem::path const& model) {
    bool const any = std::filesystem::exists(model / "tokenizer.json") || std::filesystem::exists(model / "tokenizer.model") ||
                     (std::filesystem::exists(model / "vocab.json") && std::filesystem::exists(model / "merges.txt"));
    return any ? load_tokenizer(model) : nullptr;
}

/// What a folder's tokens are called; a part of a character by its spelling.
inline auto text_by(std::shared_ptr<tokenizer const> words) {
    return [words](token id) {
        if (id >= words->size()) return token_text{"#" + std::to_string(id), {}};
        token const one[] = {id};
        auto const decoded = words->decode(one);
        return token_text{
            shown_text(decoded.empty() || decoded.find("\xEF\xBF\xBD") != decoded.npos ? words->piece(id) : decoded), decoded};
    };
}

/// A text, by the folder's tokeniser, in windows.
inline void read_folder(token_sequences& x, sequence_options const& o, model_facts const& facts, tokenizer const& words) {
    std::string const name = o.text.string();
    std::optional<token> begin;
    if (o.bos) {
        begin = words.bos();
        if (!begin) fail<usage_error>("--bos: the tokeniser of ", facts.name, " names no BOS");
    }
    auto const stream = words.encode(read_text(o.text));
    require(!stream.empty(), name, ": empty: expected text");
    index_t const have = static_cast<index_t>(stream.size()) + (begin ? 1 : 0);
    index_t const T = o.length > 0 ? o.length : std::min<index_t>({have, 1024, facts.longest > 0 ? facts.longest : 1024});
    x.ids = windows_of(stream, name, o.sequences > 0 ? o.sequences : 4, T, begin);
    x.from = name;
    x.bos = o.bos;
}

}  // namespace detail

/// \param path  of the model: a folder's tokeniser says what its tokens are
/// \throws usage_error where nothing says which tokens; error naming the file
inline token_sequences read_sequences(sequence_options const& o, language_model const& model, std::filesystem::path const& path) {
    if (!o.text.empty() && !o.tokens.empty()) fail<usage_error>("--text, --tokens: expected one of them");
    token_sequences x;
    auto const* own = dynamic_cast<checkpoint_language_model const*>(&model);
    auto const words = own ? nullptr : detail::tokenizer_of(path);
    if (words) x.text_of = detail::text_by(words);
    if (!o.tokens.empty()) {
        x.from = o.tokens.string();
        detail::read_tokens(x, o, model.facts());
    } else if (own) {
        detail::read_own(x, o, own->run());
    } else if (o.text.empty()) {
        fail<usage_error>("--text, --tokens: expected one of them: a text, or a file of tokens (.npy or .bin)");
    } else {
        if (!words)
            fail<usage_error>("--text: ", path.string(),
                              " has no tokeniser (tokenizer.json, tokenizer.model): expected --tokens with a file of tokens");
        detail::read_folder(x, o, model.facts(), *words);
    }
    detail::check_ids(x, model.facts().vocabulary);
    if (!o.strings.empty()) {
        auto const strings = std::make_shared<std::vector<std::string> const>(
            json_as<std::vector<std::string>>(parse_json(o.strings), o.strings.string(), "(list)"));
        require(static_cast<index_t>(strings->size()) >= model.facts().vocabulary, o.strings.string(), ": ", strings->size(),
                " strings: expected ", model.facts().vocabulary);
        x.text_of = [strings](token id) {
            auto const& decoded = (*strings)[static_cast<std::size_t>(id)];
            return token_text{detail::shown_text(decoded), decoded};
        };
    }
    return x;
}

}  // namespace attnlab
