#pragma once
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>

/// \file
/// Any text as text: what has a meaning in HTML or Markdown is escaped.

namespace attnlab {

/// For element content and for quoted attributes.
inline std::string html_escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
    return out;
}

/// For one line of Markdown (GitHub's), also inside a table: line ends become spaces. `value_bias` stays readable: an underscore
/// between two letters has no meaning there.
inline std::string markdown_escaped(std::string_view text) {
    auto const word = [&](std::size_t i) { return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])) != 0; };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        bool const inside_word = c == '_' && i > 0 && word(i - 1) && word(i + 1);
        if (std::string_view("\\|`*_<>[]#").find(c) != std::string_view::npos && !inside_word) out += '\\';
        out += c == '\n' || c == '\r' ? ' ' : c;
    }
    return out;
}

}  // namespace attnlab
