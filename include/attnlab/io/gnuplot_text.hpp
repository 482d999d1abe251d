#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

/// \file
/// Words of gnuplot's language: texts, numbers, colours.

namespace attnlab::detail {

inline constexpr char const *ink = "#333333", *faint = "#8a8a8a", *grid_ink = "#e4e4e4";
inline constexpr char const* family = "Liberation Sans";  // as wide as Arial and Helvetica, and free

/// A gnuplot string of exactly this text, on one line. Within single quotes gnuplot expands nothing: no escape, no `command`.
inline std::string gp_quoted(std::string_view text) {
    std::string out = "'";
    for (char c : text) {
        if (c == '\'') out += '\'';
        out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    }
    return out + "'";
}

inline std::string gp_number(double value) {
    char out[32];
    std::snprintf(out, sizeof out, "%.7g", value);
    return std::isfinite(value) ? out : "NaN";
}

inline std::string gp_colour(std::uint32_t rgb) {
    char out[16];
    std::snprintf(out, sizeof out, "'#%06X'", static_cast<unsigned>(rgb));
    return out;
}

}  // namespace attnlab::detail
