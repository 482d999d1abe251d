#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <attnlab/data/tokenizer/utf8.hpp>

/// \file
/// GPT-2's alphabet: a printable character for each byte, so that a vocabulary of bytes is text ("Ġ" is the space). Bytes that
/// print in Latin-1 are themselves, the others U+0100 on, in order. Source: bytes_to_unicode in openai/gpt-2, src/encoder.py.

namespace attnlab::tokenizers {

namespace detail {

constexpr bool prints(unsigned byte) { return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD); }

inline std::array<std::string, 256> const& alphabet() {
    static auto const characters = [] {
        std::array<std::string, 256> out;
        std::uint32_t next = 0x100;
        for (unsigned byte = 0; byte < 256; ++byte) append_code_point(out[byte], prints(byte) ? byte : next++);
        return out;
    }();
    return characters;
}

}  // namespace detail

/// The characters that stand for the bytes of `text`, appended.
inline void append_byte_characters(std::string& out, std::string_view text) {
    auto const& characters = detail::alphabet();
    for (char c : text) {
        auto const byte = static_cast<unsigned char>(c);
        if (byte > 0x20 && byte < 0x7F)
            out += c;
        else
            out += characters[byte];
    }
}

/// The bytes that valid UTF-8 of this alphabet stands for; nothing when it holds another character.
inline std::optional<std::string> bytes_of_characters(std::string_view text) {
    static auto const byte_of = [] {
        std::array<int, 0x200> out;
        out.fill(-1);
        int next = 0x100;
        for (int byte = 0; byte < 256; ++byte)
            out[static_cast<std::size_t>(detail::prints(static_cast<unsigned>(byte)) ? byte : next++)] = byte;
        return out;
    }();
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        auto const length = utf8_length(text[at]);
        auto const byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(text[at + i])}; };
        std::uint32_t const c = length == 1 ? byte(0) : length == 2 ? (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F) : 0x1FF;
        if (c >= byte_of.size() || byte_of[c] < 0) return std::nullopt;
        out += static_cast<char>(byte_of[c]);
        at += length;
    }
    return out;
}

}  // namespace attnlab::tokenizers
