#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/cli/checkpoint_data.hpp>
#include <attnlab/cli/checkpoint_language_model.hpp>
#include <attnlab/cli/open_folder.hpp>
#include <attnlab/data/documents.hpp>
#include <attnlab/data/shown_text.hpp>
#include <attnlab/data/text.hpp>
#include <attnlab/io/npy.hpp>

/// \file
/// Which sequences commands show a model: those of a file of tokens, of a text, or the evaluation sequences of an own run.

namespace attnlab {

struct sequence_options {
    std::filesystem::path text, tokens, tokenizer;
    std::filesystem::path strings;       ///< JSON list of what each token stands for, where no tokenizer says it
    index_t sequences = 0, length = 0;   ///< 0: as many and as long as the source has, within reason
    std::string bos = "auto";            ///< whether sequences of a text begin with the tokeniser's BOS: auto, as it does itself; yes; no
    bool measured = false;               ///< for a loss and not to be looked at: all of a text, of an own run what it holds out there

    /// How many windows of a stream.
    index_t windows() const { return sequences > 0 ? sequences : measured ? std::numeric_limits<index_t>::max() : 4; }
};

inline void declare_sequences(option_table& o, sequence_options& s) {
    bool const measured = s.measured;
    o.group("Sequences");
    o.add("text", s.text, measured ? "a text, or .jsonl with fields `text`: of an own run its evaluation sequences in it, from the last 10 % (nothing: in the run's own data); of a folder all "
                                     "windows, one after the other"
                                   : "a text, or .jsonl with fields `text`, cut into sequences; nothing: the evaluation sequences of an own run, the paper's prompt for a folder");
    o.add("tokens", s.tokens, "tokens: .npy, (N, T) or one stream, or nanoGPT's .bin");
    o.add("tokenizer", s.tokenizer, "of a text: a folder or a file; nothing: the model's own");
    o.add("strings", s.strings, "JSON list of what each token stands for, where no tokenizer says it");
    o.add("sequences", s.sequences, measured ? "how many; 0: all, of an own run as many as its evaluation has" : "how many; 0: rows of a file all, of an own run as many as its evaluation has, else 4",
          at_least{0});
    o.add("length", s.length, "tokens of a sequence; 0: rows of a file as they are, an own run's, else up to 1024", at_least{0});
    o.add("bos", s.bos, "whether sequences of a text begin with a folder's BOS; auto: if its tokeniser puts one there", one_of{{"auto", "yes", "no"}});
}

namespace detail {

/// N windows of a stream, one after the other; with `bos` each begins with it.
inline tensor<token, 2> windows_of(std::vector<token> const& stream, std::string const& name, index_t N, index_t T, std::optional<token> bos = {}) {
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
        require(a.shape.size() == 1 || a.shape.size() == 2, name, ": ", a.shape.size(), " axes: expected tokens (N, T), or one stream");
        stream = a.as<token>();
        if (a.shape.size() == 2) rows = a.shape[0], columns = a.shape[1];
    } else {
        auto const all = load_bin(o.tokens, facts.vocabulary);
        index_t const T = o.length > 0 ? o.length : 1024, wanted = o.windows() < all.size() / T ? o.windows() * T : all.size();
        for (index_t i = 0; i < wanted; ++i) stream.push_back(all[i]);
    }
    require(!stream.empty(), name, ": empty: expected tokens");
    if (rows == 0) {
        index_t const T = o.length > 0 ? o.length : std::min<index_t>({static_cast<index_t>(stream.size()), 1024, facts.longest > 0 ? facts.longest : 1024});
        x.ids = windows_of(stream, name, o.windows(), T);
        return;
    }
    require(o.length <= columns, name, ": sequences of ", columns, " tokens: expected at least ", o.length);
    x.ids.resize({o.sequences > 0 ? std::min(o.sequences, rows) : rows, o.length > 0 ? o.length : columns});
    for (index_t n = 0; n < x.ids.shape(0); ++n) std::copy_n(stream.begin() + n * columns, x.ids.shape(1), &x.ids(n, 0));
}

/// What tokens of a tokeniser stand for.
inline std::function<token_text(token)> texts_of(std::shared_ptr<tokenizer const> const& words) {
    return [words](token id) {
        if (id >= words->size()) return token_text{"#" + std::to_string(id), {}};
        token const one[] = {id};
        auto const decoded = words->decode(one);
        bool const whole = !decoded.empty() && decoded.find("\xEF\xBF\xBD") == decoded.npos;   // a part of a character is shown by its spelling
        return token_text{shown_text(whole ? decoded : words->piece(id)), decoded};
    };
}

/// What tokens of a text of bytes or characters stand for.
inline std::function<token_text(token)> texts_of(text_vocabulary const& words) {
    return [words](token id) {
        token const one[] = {id};
        return id >= words.bos() ? token_text{words.shown(id), {}} : token_text{words.shown(id), words.decode(one)};
    };
}

/// Windows of a text by an own run's tokens, each as training had it: after BOS, but not by a tokeniser.
inline void read_own_windows(token_sequences& x, sequence_options const& o, checkpoint_run const& run, index_t T) {
    auto const& s = run.settings;
    if (s.task != "text") fail<usage_error>("--text: expected a checkpoint that was trained on a text; this one's task is ", s.task);
    auto const all = read_documents(o.text);
    x.from = o.text.string();
    auto const cut = [&](std::vector<token> const& stream, std::optional<token> bos) {
        x.ids = windows_of(stream, x.from, o.sequences > 0 ? o.sequences : s.eval_sequences, T, bos);
        x.bos = bos.has_value();
    };
    if (auto const words = words_of(s)) {
        cut(words->encode(all), {});
        x.text_of = texts_of(words);
    } else {
        text_vocabulary const plain(run.code_points.value_or(std::vector<std::uint32_t>{}));
        cut(plain.encode(all, x.from), plain.bos());
        x.text_of = texts_of(plain);
    }
}

/// The evaluation sequences of an own run, the same predictions that `evaluate` measures.
inline void read_evaluation(token_sequences& x, sequence_options const& o, checkpoint_run const& run, index_t T) {
    auto const& s = run.settings;
    auto const data = std::make_shared<data_source const>(data_of(run));
    x.ids.resize({o.sequences > 0 ? o.sequences : s.eval_sequences, T});
    x.next.resize(x.ids.shape());
    tensor<token, 2> whole({1, s.model.block_size}), next(whole.shape());
    for (index_t n = 0; n < x.count(); ++n) {
        data->evaluation(static_cast<std::uint64_t>(n), whole, next);
        std::copy_n(whole.data(), T, &x.ids(n, 0));
        std::copy_n(next.data(), T, &x.next(n, 0));
    }
    x.from = s.task == "text" ? text("the last 10 % of ", s.text.string()) : "evaluation sequences of the run (" + s.task + ")";
    x.bos = !s.skip_first && (s.task == "backcopy" || data->vocabulary());
    if (data->words()) x.text_of = texts_of(data->words());
    else if (data->vocabulary()) x.text_of = texts_of(*data->vocabulary());
    else x.text_of = [data](token id) { return token_text{data->label(id), {}}; };
}

/// Sequences of an own run: those of its evaluation, or of another text by its tokens.
inline void read_own(token_sequences& x, sequence_options const& o, checkpoint_run run) {
    index_t const most = run.settings.model.block_size, T = o.length > 0 ? o.length : most;
    if (T > most) fail<usage_error>("--length: ", T, ": expected at most ", most, ", as the checkpoint was trained with");
    use_data(run, {.text = o.measured ? o.text : "", .tokenizer = o.tokenizer, .data_dir = {}});
    if (o.measured || o.text.empty()) read_evaluation(x, o, run, T);
    else read_own_windows(x, o, run, T);
}

/// Sequences of a text by a tokeniser; without a text, the prompt of 2502.06415.
inline void read_foreign(token_sequences& x, sequence_options const& o, model_facts const& facts, std::shared_ptr<tokenizer const> const& words) {
    auto const name = o.text.empty() ? std::string("the paper's prompt") : o.text.string();
    auto const stream = words->encode(o.text.empty() ? "Summer is warm. Winter is cold.\n" : read_documents(o.text));
    auto const alone = words->encode("a", true);
    bool const begins = o.bos == "yes" || (o.bos == "auto" && words->bos() && !alone.empty() && alone.front() == *words->bos());
    if (begins && !words->bos()) fail<usage_error>("--bos: yes: the tokeniser of ", facts.name, " names no beginning of a sequence");
    auto const bos = begins ? words->bos() : std::nullopt;
    index_t const most = facts.longest > 0 ? std::min<index_t>(1024, facts.longest) : 1024, have = static_cast<index_t>(stream.size()) + begins;
    x.ids = windows_of(stream, name, o.windows(), o.length > 0 ? o.length : std::min(most, have), bos);
    x.from = name;
    x.bos = begins;
    x.text_of = texts_of(words);
}

}  // namespace detail

/// \throws usage_error where nothing says which tokens; error naming the file
inline token_sequences read_sequences(sequence_options const& o, language_model const& model) {
    if (!o.text.empty() && !o.tokens.empty()) fail<usage_error>("--text, --tokens: expected one of them");
    token_sequences x;
    auto const* own = dynamic_cast<checkpoint_language_model const*>(&model);
    auto const& facts = model.facts();
    auto const where = o.tokenizer.empty() ? facts.path : o.tokenizer;
    bool const has_words = !own && (!o.tokenizer.empty() || has_tokenizer(facts.path));
    if (!o.tokens.empty()) {
        x.from = o.tokens.string();
        detail::read_tokens(x, o, facts);
        if (has_words) x.text_of = detail::texts_of(open_tokenizer(where));
    } else if (own) {
        detail::read_own(x, o, own->run());
    } else {
        if (!has_words) fail<usage_error>(o.text.empty() ? "--tokens" : "--text", ": ", facts.path.string(), " has no tokeniser (tokenizer.json, tokenizer.model): expected --tokenizer with a folder that has one, or --tokens with a file of tokens");
        detail::read_foreign(x, o, facts, open_tokenizer(where));
    }
    detail::check_ids(x, model.facts().vocabulary);
    if (x.next.size() == 0) x.next = next_tokens(*x.ids);
    if (!o.strings.empty()) {
        auto const strings = std::make_shared<std::vector<std::string> const>(json_as<std::vector<std::string>>(parse_json(o.strings), o.strings.string(), "(list)"));
        require(static_cast<index_t>(strings->size()) >= model.facts().vocabulary, o.strings.string(), ": ", strings->size(), " strings: expected ", model.facts().vocabulary);
        x.text_of = [strings](token id) {
            auto const& decoded = (*strings)[static_cast<std::size_t>(id)];
            return token_text{shown_text(decoded), decoded};
        };
    }
    return x;
}

}  // namespace attnlab
