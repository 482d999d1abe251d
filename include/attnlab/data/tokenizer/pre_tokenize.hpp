#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <attnlab/data/tokenizer/byte_alphabet.hpp>
#include <attnlab/data/tokenizer/split.hpp>

/// \file
/// How a text is cut into words, across which nothing merges: the `pre_tokenizer` of a tokenizer.json.

namespace attnlab::tokenizers {

/// A part of a text on its way to a word.
struct fragment {
    std::string_view text;
    bool begins_text;  ///< nothing of the original text is before it
};

struct split_step {
    splitter split;
    template <class F>
    void operator()(fragment whole, F f) const {
        split(whole.text, [&](std::string_view piece) {
            f(fragment{piece, whole.begins_text && piece.data() == whole.text.data()});
        });
    }
};

/// `prefix` in front where it is not there already: always, or only where the text begins.
struct prefix_step {
    std::string prefix;
    bool only_at_begin;
    template <class F>
    void operator()(fragment whole, F f) const {
        if (whole.text.starts_with(prefix) || (only_at_begin && !whole.begins_text)) return f(whole);
        std::string const longer = prefix + std::string(whole.text);
        f(fragment{longer, whole.begins_text});
    }
};

/// Spaces spelt as `mark` ("▁").
struct mark_spaces_step {
    std::string mark;
    template <class F>
    void operator()(fragment whole, F f) const {
        std::string marked;
        for (char c : whole.text) c == ' ' ? marked += mark : marked += c;
        f(fragment{marked, whole.begins_text});
    }
};

/// Each byte as a character of GPT-2's alphabet.
struct byte_step {
    template <class F>
    void operator()(fragment whole, F f) const {
        std::string characters;
        append_byte_characters(characters, whole.text);
        f(fragment{characters, whole.begins_text});
    }
};

/// The steps in order. ByteLevel is prefix, split and bytes; Metaspace is marks, prefix and split; Digits and Punctuation are
/// splits.
struct pre_tokenizer {
    std::vector<std::variant<split_step, prefix_step, mark_spaces_step, byte_step>> steps;

    /// Calls f(word) for each word of a fragment, in order; a word is never empty.
    template <class F>
    void operator()(fragment whole, F const& f) const {
        run(0, whole, f);
    }

private:
    template <class F>
    void run(std::size_t step, fragment whole, F const& f) const {
        if (whole.text.empty()) return;
        if (step == steps.size()) return f(whole.text);
        std::visit([&](auto const& s) { s(whole, [&](fragment piece) { run(step + 1, piece, f); }); }, steps[step]);
    }
};

}  // namespace attnlab::tokenizers
