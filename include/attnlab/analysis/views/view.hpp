#pragma once
#include <filesystem>
#include <ostream>
#include <string>
#include <system_error>
#include <vector>

#include <attnlab/io/csv.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/page.hpp>
#include <attnlab/io/render.hpp>

/// \file
/// What an analysis has to show, before it is written: one page, its figures and tables, and all numbers as JSON.

namespace attnlab {

struct view_figure {
    std::string name, caption;  ///< figures/NAME.svg and .pdf
    figure value;
};

struct view_table {
    std::string name;  ///< NAME.csv; empty: on the page alone
    table value;       ///< numbers as people read them
    table exact{};     ///< for the CSV where it should hold other cells
};

struct view_section {
    std::string heading;
    std::vector<std::string> paragraphs{};
    std::vector<view_figure> figures{};
    std::vector<view_table> tables{};
};

struct view_page {
    std::string title;
    std::vector<std::string> summary{};  ///< what was found, a sentence each; the terminal shows them too
    std::vector<view_section> sections{};
    json numbers{};
};

/// Writes analysis.json, NAME.csv, figures/NAME.svg and .pdf, report.html and report.md into `folder`.
/// \throws error naming the file, or gnuplot, that failed
inline void write_view(std::filesystem::path const& folder, view_page const& v) {
    make_folder(folder / "figures");
    write_atomically(folder / "analysis.json", [&](std::ostream& out) { out << v.numbers.dump(1) << '\n'; });
    std::vector<figure_file> files;
    for (auto const& s : v.sections) {
        for (auto const& t : s.tables)
            if (!t.name.empty()) write_csv(folder / (t.name + ".csv"), t.exact.header.empty() ? t.value : t.exact);
        for (auto const& f : s.figures) files.push_back({f.value, folder / "figures" / f.name});
    }
    if (!files.empty()) render(files);
    page p{v.title};
    p.list(v.summary);
    for (auto const& s : v.sections) {
        p.heading(2, s.heading);
        for (auto const& words : s.paragraphs) p.paragraph(words);
        for (auto const& f : s.figures)
            p.figure_svg(read_text(folder / "figures" / (f.name + ".svg")), "figures/" + f.name + ".svg", f.caption);
        for (auto const& t : s.tables) p.add(t.value);
    }
    p.write_html(folder / "report.html");
    p.write_markdown(folder / "report.md");
}

}  // namespace attnlab
