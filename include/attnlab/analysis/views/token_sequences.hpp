#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <attnlab/core/buffer.hpp>

/// \file
/// What a model is shown: sequences of tokens, and what is known of their text.

namespace attnlab {

struct token_text {
    std::string shown;                     ///< on an axis or in a table: "The", "\n" as \n, "#17" where the text is not known
    std::optional<std::string> decoded{};  ///< the text it stands for; none where nobody knows it
};

struct token_sequences {
    tensor<std::int32_t, 2> ids;   ///< (N, T)
    std::string from;              ///< a file, or "evaluation sequences of the run"
    std::function<token_text(std::int32_t)> text_of = [](std::int32_t id) { return token_text{"#" + std::to_string(id), {}}; };
    std::optional<bool> bos{};     ///< whether every sequence begins with a beginning-of-sequence token; empty: not known

    index_t count() const { return ids.shape(0); }
    index_t length() const { return ids.shape(1); }
    token_text at(index_t sequence, index_t position) const { return text_of(ids(sequence, position)); }
};

}  // namespace attnlab
