#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <attnlab/data/tokenizer/pair_map.hpp>
#include <attnlab/data/tokenizer/vocabulary.hpp>

/// \file
/// Where no merge can ever join two symbols. A merge joins the last symbol of its left piece with the first symbol of its right
/// piece, so a pair that is none of these is a border: the symbols before it and those after it merge apart. In a text that no
/// pre-tokeniser has cut (Llama 2, Gemma) borders lie before nearly every "▁", and words can be looked up as elsewhere.

namespace attnlab::tokenizers {

/// left, right, what they become
using merge_rule = std::array<token, 3>;

class merge_cuts {
public:
    /// \param symbols the tokens that a text may consist of before any merge
    merge_cuts(vocabulary const& pieces, std::span<token const> symbols, std::span<merge_rule const> rules) {
        constexpr token unknown = -1;
        struct ends {
            token first = unknown, last = unknown;
        };
        std::vector<ends> of(pieces.size());
        auto const at = [&](token id) -> ends& { return of[pieces.position(id)]; };
        for (token s : symbols) at(s) = {s, s};
        // Files list a rule after those that make its parts, so that one round finds all and the next sees it. No cuts for files
        // that make a piece in ways that differ at its ends, or that list rules far from their parts.
        bool changed = true;
        for (int round = 0; changed && known_; ++round) {
            changed = false;
            known_ = round < 16;
            for (auto const& [left, right, whole] : rules) {
                auto const first = at(left).first, last = at(right).last;
                auto& now = at(whole);
                if (first == unknown || last == unknown || (now.first == first && now.last == last)) continue;
                known_ = known_ && now.first == unknown;
                now = {first, last};
                changed = true;
            }
        }
        for (auto const& [left, right, whole] : rules)
            if (at(left).last != unknown && at(right).first != unknown)
                joints_.set(static_cast<std::uint32_t>(at(left).last), static_cast<std::uint32_t>(at(right).first), 1);
    }

    /// Whether nothing ever joins `left` and `right` where they stand side by side.
    bool between(token left, token right) const {
        return known_ && joints_.find(static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right)) == pair_map::none;
    }

private:
    bool known_ = true;
    pair_map joints_;
};

}  // namespace attnlab::tokenizers
