#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/markup.hpp>

/// \file
/// One table, rendered for a terminal, for Markdown and for HTML. Cells are text in UTF-8; `cell` makes text of numbers.

namespace attnlab {

/// A number for people: so many significant digits, trailing zeros dropped; "nan", "inf", "-inf" by name.
inline std::string cell(double value, int digits = 4) {
    char out[64];
    std::snprintf(out, sizeof out, "%.*g", digits, value);
    return out;
}

/// A number for people with so many digits after the point.
inline std::string fixed_cell(double value, int decimals) {
    char out[512];  // the largest double has 309 digits before the point
    std::snprintf(out, sizeof out, "%.*f", std::clamp(decimals, 0, 100), value);
    return out;
}

/// A number for machines: the shortest text that reads back as the same double.
inline std::string exact_cell(double value) {
    char out[32];
    return {out, std::to_chars(out, out + sizeof out, value).ptr};
}

enum class align { left, right };

/// A value: fill it, render it, copy it.
struct table {
    std::string title;
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows{};
    std::vector<align> alignment{};  ///< one a column; a column without one is left if it is the first, else right

    /// \throws error when the row has not one cell for each column
    void add(std::vector<std::string> row) {
        require(row.size() == header.size(), "table '", title, "': expected ", header.size(), " cells in a row, found ", row.size());
        rows.push_back(std::move(row));
    }
    align aligned(std::size_t column) const {
        if (column < alignment.size()) return alignment[column];
        return column == 0 ? align::left : align::right;
    }
};

namespace detail {

/// Columns on a terminal: code points of UTF-8 (continuation bytes are 10xxxxxx).
inline std::size_t text_width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

inline std::string padded(std::string_view text, std::size_t width, align side) {
    std::string const space(width - std::min(width, text_width(text)), ' ');
    return side == align::left ? std::string(text) + space : space + std::string(text);
}

/// The table with padded cells, `edge` around and `between` the columns, `rule(width, side)` under the header.
template <class Escape, class Rule>
std::string padded_table(table const& t, std::string_view edge, std::string_view between, Escape&& escape, Rule&& rule) {
    std::vector<std::size_t> width(t.header.size(), 3);
    auto const widen = [&](std::vector<std::string> const& row) {
        for (std::size_t c = 0; c < width.size(); ++c) width[c] = std::max(width[c], text_width(escape(row[c])));
    };
    widen(t.header);
    for (auto const& row : t.rows) widen(row);

    std::string out;
    auto const line = [&](auto&& piece) {
        std::string row(edge);
        for (std::size_t c = 0; c < width.size(); ++c) row += (c == 0 ? std::string() : std::string(between)) + piece(c);
        row += std::string(edge.rbegin(), edge.rend());
        row.erase(row.find_last_not_of(' ') + 1);
        out += row + '\n';
    };
    auto const cells = [&](std::vector<std::string> const& row) {
        line([&](std::size_t c) { return padded(escape(row[c]), width[c], t.aligned(c)); });
    };
    cells(t.header);
    line([&](std::size_t c) { return rule(width[c], t.aligned(c)); });
    for (auto const& row : t.rows) cells(row);
    return out;
}

}  // namespace detail

/// For a terminal: title, header, a rule of dashes, the rows.
inline std::string to_text(table const& t) {
    auto const one_line = [](std::string s) {
        std::replace_if(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 32; }, ' ');
        return s;
    };
    return (t.title.empty() ? "" : t.title + '\n') +
           detail::padded_table(t, "", "  ", one_line, [](std::size_t width, align) { return std::string(width, '-'); });
}

/// For Markdown; the title becomes a bold line.
inline std::string to_markdown(table const& t) {
    return (t.title.empty() ? "" : "**" + markdown_escaped(t.title) + "**\n\n") +
           detail::padded_table(t, "| ", " | ", markdown_escaped, [](std::size_t width, align side) {
               std::string rule(width, '-');
               if (side == align::right) rule.back() = ':';
               return rule;
           });
}

/// For HTML; numbers stand in cells of class "right".
inline std::string to_html(table const& t) {
    std::string out = "<table>\n";
    if (!t.title.empty()) out += "<caption>" + html_escaped(t.title) + "</caption>\n";
    auto const row = [&](std::vector<std::string> const& cells, std::string const& tag) {
        out += "<tr>";
        for (std::size_t c = 0; c < cells.size(); ++c)
            out += "<" + tag + (t.aligned(c) == align::right ? " class=\"right\">" : ">") + html_escaped(cells[c]) + "</" + tag + ">";
        out += "</tr>\n";
    };
    out += "<thead>\n";
    row(t.header, "th");
    out += "</thead>\n<tbody>\n";
    for (auto const& cells : t.rows) row(cells, "td");
    return out + "</tbody>\n</table>\n";
}

}  // namespace attnlab
