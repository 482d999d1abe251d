#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

/// \file
/// UTF-8 as the tokenisers of Hugging Face see it: Rust strings, which are always valid. What is not valid is replaced on the way
/// in and on the way out by one U+FFFD for each maximal part of a character (Unicode 15, table 3-7 and section 3.9), which is
/// what Python's bytes.decode(errors="replace") and Rust's from_utf8_lossy do.

namespace attnlab::tokenizers {

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// How many of the first bytes of `text` (not empty) make a character, or a part of one that cannot go on.
struct utf8_step {
    std::size_t bytes;
    bool valid;
};

inline utf8_step utf8_next(std::string_view text) {
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned const lead = byte(0);
    if (lead < 0x80) return {1, true};
    std::size_t const length = lead >= 0xC2 && lead <= 0xDF   ? 2
                               : (lead & 0xF0) == 0xE0        ? 3
                               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                              : 1;
    // The second byte is narrower where a longer form, a surrogate or a value past U+10FFFF would begin.
    unsigned const low = lead == 0xE0   ? 0xA0
                         : lead == 0xF0 ? 0x90
                                        : 0x80,
                   high = lead == 0xED   ? 0x9F
                          : lead == 0xF4 ? 0x8F
                                         : 0xBF;
    for (std::size_t i = 1; i < length; ++i) {
        bool const fits = i < text.size() && byte(i) >= (i == 1 ? low : 0x80) && byte(i) <= (i == 1 ? high : 0xBF);
        if (!fits) return {i, false};
    }
    return {length, length > 1};
}

/// How many of the first bytes are ASCII.
inline std::size_t ascii_prefix(std::string_view text) {
    std::size_t i = 0;
    for (std::uint64_t word; i + sizeof word <= text.size(); i += sizeof word) {
        std::memcpy(&word, text.data() + i, sizeof word);
        if (word & 0x8080808080808080u) break;
    }
    while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
    return i;
}

/// `text` where it is valid UTF-8, else `storage` with a copy in which U+FFFD stands for what is not.
inline std::string_view valid_utf8(std::string_view text, std::string& storage) {
    std::size_t copied = 0;
    for (std::size_t at = ascii_prefix(text); at < text.size(); at += ascii_prefix(text.substr(at))) {
        auto const step = utf8_next(text.substr(at));
        if (!step.valid) {
            storage.append(text, copied, at - copied).append(replacement_character);
            copied = at + step.bytes;
        }
        at += step.bytes;
    }
    if (copied == 0) return text;
    return storage.append(text, copied);
}

/// Bytes of the character that begins valid UTF-8.
inline std::size_t utf8_length(char lead) {
    auto const byte = static_cast<unsigned char>(lead);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The first character of valid UTF-8.
inline std::string_view first_character(std::string_view text) { return text.substr(0, utf8_length(text.front())); }

/// The last character of valid UTF-8.
inline std::string_view last_character(std::string_view text) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    return text.substr(at);
}

inline void append_code_point(std::string& out, std::uint32_t c) {
    auto const put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) return put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
    if (c < 0x10000) return put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
}

}  // namespace attnlab::tokenizers
