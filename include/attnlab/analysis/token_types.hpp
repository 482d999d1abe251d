#pragma once
#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <attnlab/core/view.hpp>

/// \file
/// What kind of token an outlier stands on (2502.06415): the first of its sequence, a strong delimiter, a word with little
/// meaning of its own, or another. The two lists are those of the paper's code.

namespace attnlab {

enum class token_type { initial_token, strong_delimiter, weak_semantic, other };
inline constexpr std::array<std::string_view, 4> token_type_names = {"initial_token", "strong_delimiter", "weak_semantic",
                                                                     "other"};

namespace detail {

inline constexpr std::string_view strong_delimiters[] = {".", "<0x0A>", ",", ";", ":", "!", "?", "-", "--", "---",
                                                         "'", "\"",     "(", ")", "[", "]", "{", "}", "/",  "\\",
                                                         "|", "*",      "&", "^", "%", "$", "#", "@", "~",  "`"};
inline constexpr std::string_view weak_words[] = {
    "",   "and", "from", "of", "1",   "2",   "3",    "4",  "5",  "6",  "7",    "8",    "9",  "the", "a",  "an", "in", "on",
    "at", "for", "with", "is", "was", "are", "were", "to", "by", "as", "that", "this", "it", "but", "or", "if", "not"};

inline std::string_view without_white_space(std::string_view s) {
    constexpr std::string_view blank = " \t\n\r\v\f";
    auto const first = s.find_first_not_of(blank);
    return first == s.npos ? std::string_view{} : s.substr(first, s.find_last_not_of(blank) - first + 1);
}

}  // namespace detail

/// As the paper's code has it, which strips white space first: a newline becomes the empty string, which it lists as weak.
inline token_type reference_token_type(index_t position, std::string_view decoded) {
    if (position == 0) return token_type::initial_token;
    auto const word = detail::without_white_space(decoded);
    auto const among = [](auto const& list, std::string_view w) {
        return std::find(std::begin(list), std::end(list), w) != std::end(list);
    };
    if (among(detail::strong_delimiters, word)) return token_type::strong_delimiter;
    std::string lower(word);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    return among(detail::weak_words, lower) ? token_type::weak_semantic : token_type::other;
}

/// The same, but a newline is the delimiter that it is, and a token whose text is not known is `other`.
inline token_type token_type_of(index_t position, std::optional<std::string> const& decoded) {
    if (position == 0) return token_type::initial_token;
    if (!decoded) return token_type::other;
    bool const line_end = decoded->find('\n') != decoded->npos && detail::without_white_space(*decoded).empty();
    return line_end ? token_type::strong_delimiter : reference_token_type(position, *decoded);
}

/// How many tokens of each type.
struct token_type_counts {
    std::array<std::int64_t, 4> of{};
    void add(token_type t) { ++of[static_cast<std::size_t>(t)]; }
    std::int64_t total() const { return of[0] + of[1] + of[2] + of[3]; }
};

}  // namespace attnlab
