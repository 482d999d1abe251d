#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>

/// \file
/// What a model is shown: sequences of tokens, and what is known of their text.

namespace attnlab {

struct token_text {
    std::string shown;                     ///< on an axis or in a table: "The", "\n" as \n, "#17" where the text is not known
    std::optional<std::string> decoded{};  ///< the text it stands for; none where nobody knows it
};

struct token_sequences {
    tensor<std::int32_t, 2> ids;  ///< (N, T)
    tensor<std::int32_t, 2> next;  ///< (N, T), the token after each; -1 where nobody knows it
    std::string from;             ///< a file, or "evaluation sequences of the run"
    std::function<token_text(std::int32_t)> text_of = [](std::int32_t id) { return token_text{"#" + std::to_string(id), {}}; };
    std::optional<bool> bos{};  ///< whether every sequence begins with a beginning-of-sequence token; empty: not known

    index_t count() const { return ids.shape(0); }
    index_t length() const { return ids.shape(1); }
    token_text at(index_t sequence, index_t position) const { return text_of(ids(sequence, position)); }
};

/// The first tokens of the first sequence, so many that a whole pattern may be kept. A causal model's pattern over them is the
/// corner of the pattern over all.
inline tensor<std::int32_t, 2> first_tokens(token_sequences const& x, index_t most = 192) {
    tensor<std::int32_t, 2> out({1, std::min(x.length(), most)});
    std::copy_n(x.ids.data(), out.size(), out.data());
    return out;
}

/// "53 '.'": a token of the first sequence by its position and text.
inline std::string token_mark(token_sequences const& x, index_t position) {
    return text(position, " '", x.at(0, position).shown, "'");
}

}  // namespace attnlab
