#pragma once
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <attnlab/core/error.hpp>
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

/// Takes one record (RFC 4180; quotes may hold commas and line ends) off the front of `rest`. False where a quote stays open.
inline bool take_csv_record(std::string_view& rest, std::vector<std::string>& cells) {
    cells.assign(1, "");
    bool quoted = false;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        char const c = rest[i];
        if (quoted) {
            if (c != '"') cells.back() += c;
            else if (i + 1 < rest.size() && rest[i + 1] == '"') cells.back() += rest[++i];
            else quoted = false;
        } else if (c == '"') quoted = true;
        else if (c == ',') cells.emplace_back();
        else if (c == '\n') return rest.remove_prefix(i + 1), true;
        else if (c != '\r') cells.back() += c;
    }
    rest = {};
    return !quoted;
}

/// The number in a cell. \param where  begins the line of an error
template <class Number>
Number csv_number(std::string const& cell, std::string const& where, std::string const& column) {
    Number value{};
    auto const [end, code] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (code != std::errc() || end != cell.data() + cell.size() || cell.empty())
        fail(where, ": field '", column, "': expected a number, found '", cell, "'");
    return value;
}

/// Writes header and rows atomically. \throws error naming the path
inline void write_csv(std::filesystem::path const& path, table const& t) {
    write_atomically(path, [&](std::ostream& out) { out << to_csv(t); });
}

}  // namespace attnlab
