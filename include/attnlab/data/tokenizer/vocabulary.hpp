#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokens.hpp>

/// \file
/// Pieces and their tokens.

namespace attnlab::tokenizers {

class vocabulary {
public:
    /// \throws error naming `where`: a piece or a token that is there twice, or a token below 0
    vocabulary(std::vector<std::pair<std::string, token>> entries, std::string const& where) {
        std::size_t bytes = 0;
        for (auto const& [piece, id] : entries) bytes += piece.size();
        letters_ = std::make_unique<char[]>(bytes);
        by_piece_.reserve(entries.size());
        by_id_.reserve(entries.size());
        char* end = letters_.get();
        for (auto const& [piece, id] : entries) {
            std::string_view const kept(end, piece.size());
            end = std::copy(piece.begin(), piece.end(), end);
            require(id >= 0, where, ": piece '", piece, "': token ", id, ": expected 0 or more");
            require(by_piece_.emplace(kept, id).second, where, ": piece '", piece, "' is there twice");
            by_id_.emplace_back(id, kept);
        }
        std::sort(by_id_.begin(), by_id_.end());
        for (std::size_t i = 1; i < by_id_.size(); ++i)
            require(by_id_[i - 1].first < by_id_[i].first, where, ": token ", by_id_[i].first, ": expected one piece, found '",
                    by_id_[i - 1].second, "' and '", by_id_[i].second, "'");
    }

    std::optional<token> find(std::string_view piece) const {
        auto const at = by_piece_.find(piece);
        return at == by_piece_.end() ? std::nullopt : std::optional(at->second);
    }

    /// The piece of a token, if there is one.
    std::optional<std::string_view> piece(token id) const {
        auto const at = position(id);
        return at == size() ? std::nullopt : std::optional(by_id_[at].second);
    }

    /// A token's rank among those there are, from 0; size() where there is none.
    std::size_t position(token id) const {
        // Nearly always token n has rank n; a file that skips tokens has fewer.
        if (id >= 0 && static_cast<std::size_t>(id) < size() && by_id_[static_cast<std::size_t>(id)].first == id)
            return static_cast<std::size_t>(id);
        auto const at = std::lower_bound(by_id_.begin(), by_id_.end(), id,
                                         [](auto const& entry, token wanted) { return entry.first < wanted; });
        return at != by_id_.end() && at->first == id ? static_cast<std::size_t>(at - by_id_.begin()) : size();
    }

    /// Calls f(piece, token) in order of token.
    template <class F>
    void each(F f) const {
        for (auto const& [id, piece] : by_id_) f(piece, id);
    }

    std::size_t size() const { return by_id_.size(); }
    /// The largest token + 1.
    index_t limit() const { return by_id_.empty() ? 0 : index_t{by_id_.back().first} + 1; }

private:
    std::unique_ptr<char[]> letters_;  // of all pieces, which the views look at
    std::unordered_map<std::string_view, token> by_piece_;
    std::vector<std::pair<token, std::string_view>> by_id_;
};

}  // namespace attnlab::tokenizers
