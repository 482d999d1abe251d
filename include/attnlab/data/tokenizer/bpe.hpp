#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/pair_map.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>
#include <attnlab/data/tokenizer/vocabulary.hpp>

/// \file
/// Byte pair encoding (Sennrich et al., 2016): a word's characters, then always the merge of lowest rank, the leftmost first.
/// Order and corner cases are those of Hugging Face's tokenizers, models/bpe.

namespace attnlab::tokenizers {

struct bpe_options {
    std::optional<std::string> unknown;   ///< the piece for a character that is not in the vocabulary; none: it is dropped
    bool fuse_unknown = false;            ///< one token for a run of unknown characters
    bool byte_fallback = false;           ///< an unknown character is its bytes, "<0x0A>", where all of them have pieces
    bool ignore_merges = false;           ///< a word that is a piece is its token, whatever the merges say
};

/// The tokens of words already seen. Not shared between threads.
class word_cache {
public:
    std::optional<std::span<token const>> find(std::string_view word) const {
        auto const at = words_.find(word);
        if (at == words_.end()) return std::nullopt;
        return std::span(tokens_).subspan(at->second.first, at->second.second);
    }
    void keep(std::string_view word, std::span<token const> tokens) {
        if (word.size() > longest || words_.size() == most) return;
        words_.emplace(word, std::pair(tokens_.size(), tokens.size()));
        tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    }

private:
    static constexpr std::size_t longest = 255, most = 1 << 16;   // bytes of a word, words

    struct hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    std::unordered_map<std::string, std::pair<std::size_t, std::size_t>, hash, std::equal_to<>> words_;   // first token, how many
    std::vector<token> tokens_;
};

class bpe {
public:
    using merge = std::pair<std::string, std::string>;

    /// \param merges in order of rank; of a pair that is there twice, the last counts
    /// \throws error naming `where` and the piece that a merge needs and the vocabulary lacks
    bpe(vocabulary const& pieces, std::vector<merge> const& merges, bpe_options options, std::string const& where)
        : pieces_(&pieces), options_(std::move(options)), where_(where), ranks_(merges.size()) {
        merged_.reserve(merges.size());
        for (std::size_t rank = 0; rank < merges.size(); ++rank) {
            auto const& [left, right] = merges[rank];
            auto const known = [&](std::string const& piece) {
                auto const id = pieces.find(piece);
                require(id.has_value(), where, ".merges[", rank, "]: '", piece, "': expected a piece of the vocabulary");
                return *id;
            };
            auto const a = known(left), b = known(right);
            merged_.push_back(known(left + right));
            ranks_.set(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(rank));
        }
        if (options_.unknown) unknown_ = pieces.find(*options_.unknown);
        for (unsigned byte = 0; options_.byte_fallback && byte < 256; ++byte) {
            constexpr char const* digits = "0123456789ABCDEF";
            bytes_[byte] = pieces.find(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + '>');
        }
    }

    /// Appends the tokens of a word. \throws error when it needs an unknown piece that the vocabulary lacks
    void encode(std::string_view word, std::vector<token>& out, word_cache& cache) const {
        if (options_.ignore_merges)
            if (auto const whole = pieces_->find(word)) return out.push_back(*whole);
        if (auto const seen = cache.find(word)) {
            out.insert(out.end(), seen->begin(), seen->end());
            return;
        }
        auto const before = out.size();
        auto symbols = characters(word);
        merge_all(symbols);
        for (auto const& s : symbols)
            if (s.id != merged_away) out.push_back(s.id);
        cache.keep(word, std::span(out).subspan(before));
    }

private:
    static constexpr token merged_away = -1;
    struct symbol {
        token id;
        std::int32_t previous, next;   // -1: none
    };

    std::vector<symbol> characters(std::string_view word) const {
        std::vector<symbol> out;
        out.reserve(word.size());
        auto const add = [&](token id) {
            auto const here = static_cast<std::int32_t>(out.size());
            out.push_back({id, here - 1, here + 1});
        };
        bool pending = false;   // an unknown token, not yet added: the next character may fuse with it
        for (std::size_t at = 0; at < word.size();) {
            auto const character = first_character(word.substr(at));
            at += character.size();
            if (auto const id = pieces_->find(character)) {
                if (pending) add(*unknown_);
                pending = false;
                add(*id);
            } else if (options_.byte_fallback && has_bytes(character)) {
                for (char c : character) add(*bytes_[static_cast<unsigned char>(c)]);
            } else if (options_.unknown) {
                require(unknown_.has_value(), where_, ".unk_token: '", *options_.unknown, "': expected a piece of the vocabulary; '", character,
                        "' needs it");
                if (pending && !options_.fuse_unknown) add(*unknown_);
                pending = true;
            }
        }
        if (pending) add(*unknown_);
        if (!out.empty()) out.back().next = -1;
        return out;
    }

    bool has_bytes(std::string_view character) const {
        for (char c : character)
            if (!bytes_[static_cast<unsigned char>(c)]) return false;
        return true;
    }

    std::uint32_t rank(token a, token b) const { return ranks_.find(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)); }

    void merge_all(std::vector<symbol>& symbols) const {
        // Rank above position in one number: the smallest is the merge to do next.
        using candidate = std::uint64_t;
        auto const of = [&](std::int32_t left) -> std::optional<candidate> {
            auto const& s = symbols[static_cast<std::size_t>(left)];
            auto const r = s.next < 0 ? pair_map::none : rank(s.id, symbols[static_cast<std::size_t>(s.next)].id);
            return r == pair_map::none ? std::nullopt : std::optional(candidate{r} << 32 | static_cast<std::uint32_t>(left));
        };
        std::vector<candidate> first;
        first.reserve(symbols.size());
        for (std::size_t i = 0; i < symbols.size(); ++i)
            if (auto const c = of(static_cast<std::int32_t>(i))) first.push_back(*c);
        std::priority_queue queue(std::greater<>{}, std::move(first));

        while (!queue.empty()) {
            auto const left = static_cast<std::int32_t>(queue.top());
            auto const result = merged_[queue.top() >> 32];
            queue.pop();
            auto& s = symbols[static_cast<std::size_t>(left)];
            // What has changed since it was queued counts only if it would give the same piece.
            if (s.id == merged_away || s.next < 0) continue;
            auto& right = symbols[static_cast<std::size_t>(s.next)];
            auto const now = rank(s.id, right.id);
            if (now == pair_map::none || merged_[now] != result) continue;
            s.id = result;
            s.next = right.next;
            right.id = merged_away;
            if (s.next >= 0) symbols[static_cast<std::size_t>(s.next)].previous = left;
            if (s.previous >= 0)
                if (auto const c = of(s.previous)) queue.push(*c);
            if (auto const c = of(left)) queue.push(*c);
        }
    }

    vocabulary const* pieces_;
    bpe_options options_;
    std::string where_;
    pair_map ranks_;
    std::vector<token> merged_;   // by rank
    std::optional<token> unknown_;
    std::array<std::optional<token>, 256> bytes_{};
};

}  // namespace attnlab::tokenizers
