#pragma once
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <attnlab/data/tokens.hpp>

/// \file
/// Words already seen and their tokens: most of a text is words that it had before.

namespace attnlab::tokenizers {

/// Not shared between threads.
class word_cache {
public:
    /// Appends the tokens of a word, if they are here.
    bool append(std::string_view word, std::vector<token>& out) const {
        if (word.size() > longest) return false;
        auto const at = words_.find(word);
        if (at == words_.end()) return false;
        auto const seen = std::span(tokens_).subspan(at->second.first, at->second.second);
        out.insert(out.end(), seen.begin(), seen.end());
        return true;
    }

    void keep(std::string_view word, std::span<token const> tokens) {
        if (word.size() > longest || words_.size() == most) return;
        words_.emplace(word, std::pair(tokens_.size(), tokens.size()));
        tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    }

private:
    static constexpr std::size_t longest = 255, most = 1 << 16;  // bytes of a word, words

    struct hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    std::unordered_map<std::string, std::pair<std::size_t, std::size_t>, hash, std::equal_to<>> words_;  // first token, how many
    std::vector<token> tokens_;
};

/// What an encoding call may use and fill.
struct bpe_cache {
    word_cache words;  ///< by their text
    word_cache parts;  ///< of words, by their symbols
};

}  // namespace attnlab::tokenizers
