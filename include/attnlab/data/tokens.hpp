#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// Tokens: the type, and an array of them. Their files are in token_file.hpp.

namespace attnlab {

/// One token. Targets may hold -1: no loss is taken there.
using token = std::int32_t;

/// Tokens that do not change, cheap to copy: the memory (or the mapped file) is shared. Files of many gigabytes stay on disk.
class token_array {
public:
    token_array() = default;
    /// Tokens in memory. `name` is what errors call them.
    token_array(std::string name, std::vector<token> tokens) : name_(std::move(name)) {
        auto const owner = std::make_shared<std::vector<token> const>(std::move(tokens));
        wide_ = *owner;
        owner_ = owner;
    }
    /// 16-bit tokens that `owner` keeps alive.
    token_array(std::string name, std::shared_ptr<void const> owner, std::span<std::uint16_t const> tokens)
        : name_(std::move(name)), owner_(std::move(owner)), narrow_(tokens) {}
    /// 32-bit tokens that `owner` keeps alive.
    token_array(std::string name, std::shared_ptr<void const> owner, std::span<token const> tokens)
        : name_(std::move(name)), owner_(std::move(owner)), wide_(tokens) {}

    std::string const& name() const { return name_; }
    index_t size() const { return static_cast<index_t>(wide_.size() + narrow_.size()); }
    token operator[](index_t i) const {
        auto const at = static_cast<std::size_t>(i);
        return wide_.empty() ? token{narrow_[at]} : wide_[at];
    }

    /// One more than the largest; 0 of none.
    token bound() const {
        token most = -1;
        for (index_t i = 0; i < size(); ++i) most = std::max(most, (*this)[i]);
        return most + 1;
    }

    /// Tokens first to last - 1 under another name, sharing the memory. \throws error unless 0 <= first <= last <= size()
    token_array part(std::string name, index_t first, index_t last) const {
        require(0 <= first && first <= last && last <= size(), name_, ": expected a part of tokens 0 to ", size(), ", got ",
                first, " to ", last);
        auto const offset = static_cast<std::size_t>(first), count = static_cast<std::size_t>(last - first);
        token_array out = *this;
        out.name_ = std::move(name);
        if (wide_.empty())
            out.narrow_ = narrow_.subspan(offset, count);
        else
            out.wide_ = wide_.subspan(offset, count);
        return out;
    }

private:
    std::string name_;
    std::shared_ptr<void const> owner_;
    std::span<token const> wide_;  // of the two, one is empty
    std::span<std::uint16_t const> narrow_;
};

}  // namespace attnlab
