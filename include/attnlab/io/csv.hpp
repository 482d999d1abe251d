#pragma once
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/io/file.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// Comma-separated values, quoted as RFC 4180 says. Lines end in a newline alone, as the tools beside expect it.

namespace attnlab {

/// The cell, in quotes where it holds a comma, a quote, a line end, or a space at an end.
inline std::string csv_quoted(std::string_view cell) {
    bool const plain = cell.find_first_of(",\"\r\n") == cell.npos && !cell.starts_with(' ') && !cell.ends_with(' ');
    if (plain) return std::string(cell);
    std::string out = "\"";
    for (char c : cell) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + '"';
}

/// One line with its end.
inline std::string csv_line(std::vector<std::string> const& cells) {
    std::string out;
    for (auto const& cell : cells) {
        if (&cell != &cells.front()) out += ',';
        out += csv_quoted(cell);
    }
    // A lone empty cell would be an empty line, which readers skip.
    if (cells.size() == 1 && out.empty()) out = "\"\"";
    return out + '\n';
}

/// Header and rows; the title is not part of it.
inline std::string to_csv(table const& t) {
    std::string out = csv_line(t.header);
    for (auto const& row : t.rows) out += csv_line(row);
    return out;
}

/// Writes header and rows atomically. \throws error naming the path
inline void write_csv(std::filesystem::path const& path, table const& t) {
    write_atomically(path, [&](std::ostream& out) { out << to_csv(t); });
}

}  // namespace attnlab
