#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/core/view.hpp>
#include <attnlab/data/tokens.hpp>

/// \file
/// A language model's tokeniser as its users see it. `load_tokenizer(path)` makes one: include attnlab/data/tokenizer/load.hpp
/// in the source that calls it.

namespace attnlab {

/// Text to tokens and back, by the rules of a model's own files. Immutable: any number of threads may share one.
class tokenizer {
public:
    virtual ~tokenizer() = default;

    /// Tokens of a text. Special tokens spelt in it are found; bytes that are no UTF-8 count as U+FFFD, one for each maximal part
    /// of a character (Python's errors="replace").
    /// \param special also what the file's template puts around a sequence (BOS)
    /// \throws error when a text is beyond the limits of the split pattern
    virtual std::vector<token> encode(std::string_view text, bool special = false) const = 0;

    /// The text of tokens. Bytes that form no UTF-8 become U+FFFD.
    /// \param skip_special leave special tokens out
    /// \throws error naming the position of a token that is not of this vocabulary
    virtual std::string decode(std::span<token const> tokens, bool skip_special = false) const = 0;

    /// A token as the vocabulary spells it: "Ġthe", "▁the", "<0x0A>", "<s>". \throws error when there is none
    virtual std::string piece(token id) const = 0;

    /// The token spelt so, if there is one.
    virtual std::optional<token> find(std::string_view piece) const = 0;

    /// The largest token + 1. A model's V may be larger (padding), never smaller.
    virtual index_t size() const = 0;

    /// Begin and end of a text, where the files name them.
    virtual std::optional<token> bos() const = 0;
    virtual std::optional<token> eos() const = 0;
};

}  // namespace attnlab
