#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/io/file.hpp>

/// \file
/// Tokens: the type, an array of them, and nanoGPT's files (`train.bin`, `val.bin`: 16-bit little-endian numbers, no header).

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

    std::string const& name() const { return name_; }
    index_t size() const { return static_cast<index_t>(wide_.size() + narrow_.size()); }
    token operator[](index_t i) const {
        auto const at = static_cast<std::size_t>(i);
        return wide_.empty() ? token{narrow_[at]} : wide_[at];
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

/// Maps a nanoGPT file and reads it once to check it. `vocabulary_limit`: the number of tokens the model knows.
/// \throws error naming the file: not readable, empty, an odd number of bytes, or the position of a token out of the vocabulary
inline token_array load_bin(std::filesystem::path const& path, index_t vocabulary_limit) {
    auto const file = std::make_shared<mapped_file const>(path);
    std::string const name = path.string();
    require(file->size() > 0, name, ": empty: expected 16-bit tokens");
    require(file->size() % 2 == 0, name, ": ", file->size(), " bytes: expected an even number, 16-bit tokens");
    // A mapping begins on a page, so the numbers are aligned.
    std::span<std::uint16_t const> const tokens(reinterpret_cast<std::uint16_t const*>(file->bytes().data()), file->size() / 2);
    for (std::size_t i = 0; i < tokens.size(); ++i)
        if (tokens[i] >= vocabulary_limit)
            fail(name, ": token ", tokens[i], " at position ", i, ": expected below ", vocabulary_limit);
    return {name, file, tokens};
}

/// Writes a nanoGPT file, in one step. 	hrows error naming the position of a token that 16 bits do not hold, or the path
inline void save_bin(std::filesystem::path const& path, std::span<token const> tokens) {
    require(!tokens.empty(), path.string(), ": not written: expected at least one token");
    constexpr token largest = std::numeric_limits<std::uint16_t>::max();
    std::vector<std::uint16_t> narrow(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i] < 0 || tokens[i] > largest)
            fail(path.string(), ": token ", tokens[i], " at position ", i, ": expected 0 to ", largest);
        narrow[i] = static_cast<std::uint16_t>(tokens[i]);
    }
    write_atomically(path, [&](std::ostream& out) {
        out.write(reinterpret_cast<char const*>(narrow.data()),
                  static_cast<std::streamsize>(narrow.size() * sizeof(std::uint16_t)));
    });
}

}  // namespace attnlab
