#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/bpe_cache.hpp>
#include <attnlab/data/tokenizer/merge_cuts.hpp>
#include <attnlab/data/tokenizer/pair_map.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>
#include <attnlab/data/tokenizer/vocabulary.hpp>

/// \file
/// Byte pair encoding (Sennrich et al., 2016): a word's characters, then always the merge of lowest rank, the leftmost first.
/// Order and corner cases are those of Hugging Face's tokenizers, models/bpe.

namespace attnlab::tokenizers {

struct bpe_options {
    std::optional<std::string> unknown;  ///< the piece for a character that is not in the vocabulary; none: it is dropped
    bool fuse_unknown = false;           ///< one token for a run of unknown characters
    bool byte_fallback = false;          ///< an unknown character is its bytes, "<0x0A>", where all of them have pieces
    bool ignore_merges = false;          ///< a word that is a piece is its token, whatever the merges say
};

class bpe {
public:
    using merge = std::pair<std::string, std::string>;

    /// \param merges in order of rank; of a pair that is there twice, the last counts
    /// \throws error naming `where` and the piece that a merge needs and the vocabulary lacks
    bpe(vocabulary const& pieces, std::vector<merge> const& merges, bpe_options options, std::string const& where)
        : pieces_(&pieces), options_(std::move(options)), where_(where), ranks_(merges.size()) {
        std::vector<merge_rule> rules;
        rules.reserve(merges.size());
        for (auto const& [left, right] : merges) {
            auto const known = [&](std::string const& piece) {
                auto const id = pieces.find(piece);
                require(id.has_value(), where, ".merges[", rules.size(), "]: '", piece, "': expected a piece of the vocabulary");
                return *id;
            };
            auto const a = known(left), b = known(right);
            ranks_.set(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(rules.size()));
            rules.push_back({a, b, known(left + right)});
            merged_.push_back(rules.back()[2]);
        }
        if (options_.unknown) unknown_ = pieces.find(*options_.unknown);
        for (unsigned byte = 0; options_.byte_fallback && byte < 256; ++byte) {
            constexpr char const* digits = "0123456789ABCDEF";
            bytes_[byte] = pieces.find(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + '>');
        }
        for (unsigned c = 0; c < ascii_.size(); ++c) ascii_[c] = pieces.find(std::string(1, static_cast<char>(c)));

        std::vector<token> symbols;
        pieces.each([&](std::string_view piece, token id) {
            if (!piece.empty() && first_character(piece).size() == piece.size()) symbols.push_back(id);
        });
        if (unknown_) symbols.push_back(*unknown_);
        for (auto const& byte : bytes_)
            if (byte) symbols.push_back(*byte);
        cuts_.emplace(pieces, symbols, rules);
    }

    /// Appends the tokens of a word. \throws error when it needs an unknown piece that the vocabulary lacks
    void encode(std::string_view word, std::vector<token>& out, bpe_cache& cache) const {
        if (options_.ignore_merges)
            if (auto const whole = pieces_->find(word)) return out.push_back(*whole);
        if (cache.words.append(word, out)) return;
        auto const before = out.size();
        auto const symbols = characters(word);
        std::size_t begin = 0;
        for (std::size_t end = 1; end <= symbols.size(); ++end) {
            if (end < symbols.size() && !cuts_->between(symbols[end - 1], symbols[end])) continue;
            auto const part = std::span(symbols).subspan(begin, end - begin);
            // A part of a word is known by its symbols: an unknown one stands for any text.
            std::string_view const key(reinterpret_cast<char const*>(part.data()), part.size_bytes());
            if (part.size() == 1) {
                out.push_back(part[0]);
            } else if (!cache.parts.append(key, out)) {
                auto const from = out.size();
                merge_all(part, out);
                if (part.size() < symbols.size()) cache.parts.keep(key, std::span(out).subspan(from));
            }
            begin = end;
        }
        cache.words.keep(word, std::span(out).subspan(before));
    }

private:
    /// The tokens of a word before any merge.
    std::vector<token> characters(std::string_view word) const {
        std::vector<token> out;
        out.reserve(word.size());
        bool pending = false;  // an unknown token, not yet added: the next character may fuse with it
        for (std::size_t at = 0; at < word.size();) {
            auto const character = first_character(word.substr(at));
            at += character.size();
            if (auto const id =
                    character.size() == 1 ? ascii_[static_cast<unsigned char>(character[0])] : pieces_->find(character)) {
                if (pending) out.push_back(*unknown_);
                pending = false;
                out.push_back(*id);
            } else if (options_.byte_fallback && has_bytes(character)) {
                for (char c : character) out.push_back(*bytes_[static_cast<unsigned char>(c)]);
            } else if (options_.unknown) {
                require(unknown_.has_value(), where_, ".unk_token: '", *options_.unknown,
                        "': expected a piece of the vocabulary; '", character, "' needs it");
                if (pending && !options_.fuse_unknown) out.push_back(*unknown_);
                pending = true;
            }
        }
        if (pending) out.push_back(*unknown_);
        return out;
    }

    bool has_bytes(std::string_view character) const {
        for (char c : character)
            if (!bytes_[static_cast<unsigned char>(c)]) return false;
        return true;
    }

    std::uint32_t rank(token a, token b) const {
        return ranks_.find(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b));
    }

    /// Appends what becomes of the symbols.
    void merge_all(std::span<token const> part, std::vector<token>& out) const {
        static constexpr token merged_away = -1;
        struct symbol {
            token id;
            std::int32_t previous, next;  // -1: none
        };
        require(part.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()), where_, ": a word of ",
                part.size(), " characters: expected fewer than 2^31");
        std::vector<symbol> symbols(part.size());
        for (std::size_t i = 0; i < part.size(); ++i) {
            auto const here = static_cast<std::int32_t>(i);
            symbols[i] = {part[i], here - 1, i + 1 < part.size() ? here + 1 : -1};
        }
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
        for (auto const& s : symbols)
            if (s.id != merged_away) out.push_back(s.id);
    }

    vocabulary const* pieces_;
    bpe_options options_;
    std::string where_;
    pair_map ranks_;
    std::vector<token> merged_;  // by rank
    std::optional<token> unknown_;
    std::array<std::optional<token>, 256> bytes_{};
    std::array<std::optional<token>, 128> ascii_{};
    std::optional<merge_cuts> cuts_;
};

}  // namespace attnlab::tokenizers
