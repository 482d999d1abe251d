#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer.hpp>
#include <attnlab/data/tokenizer/added_tokens.hpp>
#include <attnlab/data/tokenizer/bpe.hpp>
#include <attnlab/data/tokenizer/decode.hpp>
#include <attnlab/data/tokenizer/normalize.hpp>
#include <attnlab/data/tokenizer/pre_tokenize.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>
#include <attnlab/data/tokenizer/vocabulary.hpp>

/// \file
/// The tokeniser of a tokenizer.json: added tokens, normaliser, added tokens again, words, byte pairs, template; and back.

namespace attnlab::tokenizers {

/// What a template puts around a sequence.
struct sequence_template {
    std::vector<token> before, after;
};

/// The parts that a file describes.
struct pipeline_parts {
    std::unique_ptr<vocabulary const> pieces;
    std::unique_ptr<bpe const> model;  // over these pieces
    std::vector<added_token> added;
    normalizer normalize;
    pre_tokenizer split;
    sequence_template around;
    decoder decode;
    std::optional<token> bos, eos;
};

class pipeline final : public tokenizer {
public:
    /// \throws error naming `where` and an added token that is there twice
    pipeline(pipeline_parts parts, std::string const& where)
        : parts_(std::move(parts)), raw_(sought(false), where), normalized_(sought(true), where) {
        for (auto const& t : parts_.added) {
            added_by_id_.emplace(t.id, &t);
            added_by_content_.emplace(t.content, t.id);
            size_ = std::max(size_, index_t{t.id} + 1);
        }
        size_ = std::max(size_, parts_.pieces->limit());
    }

    std::vector<token> encode(std::string_view text, bool special) const override {
        std::string valid, normal;
        text = valid_utf8(text, valid);
        std::vector<token> out;
        if (special) out = parts_.around.before;
        // One call at a time may fill the tokeniser's cache; a call beside it has its own.
        std::unique_lock const turn(cache_turn_, std::try_to_lock);
        bpe_cache own;
        auto& cache = turn ? cache_ : own;
        raw_.split(text, [&](std::string_view part, added_token const* found) {
            if (found != nullptr) return out.push_back(found->id);
            bool begins = part.data() == text.data();
            normalized_.split(parts_.normalize(part, normal), [&](std::string_view piece, added_token const* inside) {
                if (inside != nullptr)
                    out.push_back(inside->id);
                else
                    parts_.split({piece, begins}, [&](std::string_view word) { parts_.model->encode(word, out, cache); });
                begins = false;
            });
        });
        if (special) out.insert(out.end(), parts_.around.after.begin(), parts_.around.after.end());
        return out;
    }

    std::string decode(std::span<token const> tokens, bool skip_special) const override {
        strings pieces;
        pieces.reserve(tokens.size());
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            auto const [piece, special] = look_up(tokens[i]);
            require(piece.has_value(), "token ", tokens[i], " at position ", i, ": expected one of the tokeniser's, 0 to ",
                    size_ - 1);
            if (!special || !skip_special) pieces.emplace_back(*piece);
        }
        return parts_.decode(std::move(pieces));
    }

    std::string piece(token id) const override {
        auto const found = look_up(id).first;
        require(found.has_value(), "token ", id, ": expected one of the tokeniser's, 0 to ", size_ - 1);
        return std::string(*found);
    }

    std::optional<token> find(std::string_view piece) const override {
        auto const at = added_by_content_.find(std::string(piece));
        return at != added_by_content_.end() ? std::optional(at->second) : parts_.pieces->find(piece);
    }

    index_t size() const override { return size_; }
    std::optional<token> bos() const override { return parts_.bos; }
    std::optional<token> eos() const override { return parts_.eos; }

private:
    std::vector<added_token> sought(bool normalized) const {
        std::vector<added_token> out;
        for (auto const& t : parts_.added)
            if (t.normalized == normalized) out.push_back(t);
        return out;
    }

    /// A token's piece, and whether it is special.
    std::pair<std::optional<std::string_view>, bool> look_up(token id) const {
        auto const at = added_by_id_.find(id);
        if (at != added_by_id_.end()) return {at->second->sought, at->second->special};
        return {parts_.pieces->piece(id), false};
    }

    pipeline_parts parts_;
    added_token_finder raw_, normalized_;
    std::unordered_map<token, added_token const*> added_by_id_;
    std::unordered_map<std::string, token> added_by_content_;
    index_t size_ = 0;
    mutable std::mutex cache_turn_;
    mutable bpe_cache cache_;
};

}  // namespace attnlab::tokenizers
