#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/pair_map.hpp>
#include <attnlab/data/tokenizer/pattern.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>
#include <attnlab/data/tokens.hpp>

/// \file
/// Tokens that are found in a text before anything else happens to it: `added_tokens` of a tokenizer.json. At each place the
/// longest counts. Order and corner cases are those of Hugging Face's tokenizers, tokenizer/added_vocabulary.

namespace attnlab::tokenizers {

struct added_token {
    token id = 0;
    std::string content;       ///< as the file spells it
    std::string sought;        ///< what is looked for: the content, or what the normaliser makes of it
    bool special = false;      ///< left out by decode(..., skip_special)
    bool single_word = false;  ///< not inside a word
    bool left_strip = false;   ///< takes the white space before it
    bool right_strip = false;  ///< takes the white space after it
    bool normalized = false;   ///< sought in the normalised text
};

/// Finds added tokens in a text.
class added_token_finder {
public:
    /// \throws error naming `where` and a token that is sought twice
    added_token_finder(std::vector<added_token> tokens, std::string const& where)
        : tokens_(std::move(tokens)),
          ends_(1, nobody),
          space_(pattern::regex(R"(\A\s\z)", where)),
          letter_(pattern::regex(R"(\A[\w\x{200C}\x{200D}]\z)", where)) {
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            std::uint32_t node = 0;
            for (char c : tokens_[i].sought) {
                auto child = children_.find(node, static_cast<unsigned char>(c));
                if (child == pair_map::none) {
                    child = static_cast<std::uint32_t>(ends_.size());
                    children_.set(node, static_cast<unsigned char>(c), child);
                    ends_.push_back(nobody);
                }
                node = child;
            }
            require(node != 0 && ends_[node] == nobody, where, ": '", tokens_[i].sought,
                    "': expected text that no other token has");
            ends_[node] = i;
            begins_[static_cast<unsigned char>(tokens_[i].sought[0])] = true;
        }
    }

    /// Calls f(part, nullptr) for what is between tokens and f(part, &token) for tokens, in order; no part between is empty.
    template <class F>
    void split(std::string_view text, F f) const {
        std::size_t done = 0;
        for (std::size_t at = 0; !tokens_.empty() && at < text.size();) {
            if (!begins_[static_cast<unsigned char>(text[at])]) {
                ++at;
                continue;
            }
            auto const [which, length] = longest(text.substr(at));
            if (which == nobody) {
                ++at;
                continue;
            }
            auto const& found = tokens_[which];
            std::size_t begin = at, end = at + length;
            at = end;
            if (found.single_word && ((begin > 0 && letter_.matches(last_character(text.substr(0, begin)))) ||
                                      (end < text.size() && letter_.matches(first_character(text.substr(end))))))
                continue;
            if (found.left_strip)
                while (begin > done && space_.matches(last_character(text.substr(0, begin))))
                    begin -= last_character(text.substr(0, begin)).size();
            if (found.right_strip)
                while (end < text.size() && space_.matches(first_character(text.substr(end)))) end += utf8_length(text[end]);
            if (done < begin) f(text.substr(done, begin - done), static_cast<added_token const*>(nullptr));
            f(text.substr(begin, end - begin), &found);
            done = end;
        }
        if (done < text.size()) f(text.substr(done), static_cast<added_token const*>(nullptr));
    }

private:
    static constexpr std::size_t nobody = ~std::size_t{0};

    /// The token with which `text` begins, and its bytes.
    std::pair<std::size_t, std::size_t> longest(std::string_view text) const {
        std::pair<std::size_t, std::size_t> best{nobody, 0};
        std::uint32_t node = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            node = children_.find(node, static_cast<unsigned char>(text[i]));
            if (node == pair_map::none) break;
            if (ends_[node] != nobody) best = {ends_[node], i + 1};
        }
        return best;
    }

    std::vector<added_token> tokens_;
    pair_map children_;               // of (node, byte)
    std::vector<std::size_t> ends_;   // by node: the token that ends there
    std::array<bool, 256> begins_{};  // a byte begins a token
    pattern space_, letter_;
};

}  // namespace attnlab::tokenizers
