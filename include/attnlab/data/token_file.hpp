#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/data/tokens.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// Files of tokens, as nanoGPT's `train.bin` and `val.bin`: little-endian numbers without a header, of 16 bits, or of 32 where
/// the vocabulary has more than 65,536. `FILE.json` beside it, the sidecar, says which, and the size of the vocabulary.

namespace attnlab {

/// How a file of tokens is to be read.
struct token_file_form {
    index_t vocabulary = 0;  ///< 0: nobody says
    bool wide = false;       ///< 32 bits a token
    bool recorded = false;   ///< by a sidecar
};

namespace detail {

inline constexpr index_t narrow_tokens = 65536;  // what 16 bits tell apart

inline std::filesystem::path sidecar(std::filesystem::path path) { return path += ".json"; }

}  // namespace detail

/// What the sidecar says; without one, what follows from `vocabulary` (0: unknown, then 16 bits).
/// \throws error naming the sidecar and its field
inline token_file_form read_token_file_form(std::filesystem::path const& path, index_t vocabulary) {
    auto const beside = detail::sidecar(path);
    if (!std::filesystem::exists(beside)) return {vocabulary, vocabulary > detail::narrow_tokens, false};
    auto const where = beside.string();
    json const root = parse_json(beside);
    auto const type = field<std::string>(root, where, "dtype");
    require(type == "uint16" || type == "uint32", where, ": field 'dtype': '", type, "': expected uint16 or uint32");
    return {field_or<index_t>(root, where, "vocab_size", vocabulary), type == "uint32", true};
}

/// Maps a file of tokens and reads it once to check it. `vocabulary`: the number of tokens the model knows.
/// \throws error naming the file: not readable, empty, not whole tokens, or the position of a token out of the vocabulary
inline token_array load_bin(std::filesystem::path const& path, index_t vocabulary) {
    auto const form = read_token_file_form(path, vocabulary);
    auto const file = std::make_shared<mapped_file const>(path);
    std::string const name = path.string();
    std::size_t const width = form.wide ? 4 : 2;
    require(file->size() > 0, name, ": empty: expected ", 8 * width, "-bit tokens");
    require(file->size() % width == 0, name, ": ", file->size(), " bytes: expected ",
            form.wide ? "a multiple of 4" : "an even number", ", ", 8 * width, "-bit tokens");
    auto const checked = [&]<class Stored>(Stored const* first) {
        std::span<Stored const> const tokens(first, file->size() / width);
        for (std::size_t i = 0; i < tokens.size(); ++i)
            if (tokens[i] >= static_cast<std::uint64_t>(vocabulary))
                fail(name, ": token ", tokens[i], " at position ", i, ": expected below ", vocabulary,
                     form.wide && !form.recorded ? " (32 bits a token, as its vocabulary needs; a sidecar may say otherwise)"
                                                 : "");
        return tokens;
    };
    // A mapping begins on a page, so the numbers are aligned.
    auto const* const at = file->bytes().data();
    if (!form.wide) return {name, file, checked(reinterpret_cast<std::uint16_t const*>(at))};
    auto const tokens = checked(reinterpret_cast<std::uint32_t const*>(at));
    require(vocabulary <= index_t{1} << 31, name, ": a vocabulary of ", vocabulary, ": expected at most 2^31");
    return {name, file, std::span(reinterpret_cast<token const*>(at), tokens.size())};
}

/// Writes a file of tokens, in one step, and its sidecar where the vocabulary is known (0: it is not).
/// \throws error naming the position of a token that is not in the vocabulary, or the path
inline void save_bin(std::filesystem::path const& path, std::span<token const> tokens, index_t vocabulary = 0) {
    require(!tokens.empty(), path.string(), ": not written: expected at least one token");
    index_t const limit = vocabulary > 0 ? vocabulary : detail::narrow_tokens;
    bool const wide = limit > detail::narrow_tokens;
    for (std::size_t i = 0; i < tokens.size(); ++i)
        if (tokens[i] < 0 || tokens[i] >= limit)
            fail(path.string(), ": token ", tokens[i], " at position ", i, ": expected 0 to ", limit - 1);
    std::vector<std::uint16_t> narrow;
    if (!wide) narrow.assign(tokens.begin(), tokens.end());
    auto const bytes = wide ? std::as_bytes(tokens) : std::as_bytes(std::span(narrow));
    // A file of tokens is never beside a sidecar that speaks of another.
    std::error_code ignored;
    std::filesystem::remove(detail::sidecar(path), ignored);
    write_atomically(path, [&](std::ostream& out) {
        out.write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    });
    if (vocabulary > 0)
        write_json(detail::sidecar(path),
                   json{{"dtype", wide ? "uint32" : "uint16"}, {"vocab_size", vocabulary}, {"tokens", tokens.size()}});
}

}  // namespace attnlab
