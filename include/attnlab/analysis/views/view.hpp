#pragma once
#include <filesystem>
#include <fstream>
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

namespace detail {

/// What write_view makes beside report.html, report.md and analysis.json, which lists it.
inline std::vector<std::string> files_of(view_page const& v) {
    std::vector<std::string> out;
    for (auto const& s : v.sections) {
        for (auto const& t : s.tables)
            if (!t.name.empty()) out.push_back(t.name + ".csv");
        for (auto const& f : s.figures)
            for (char const* ending : {".svg", ".pdf"}) out.push_back("figures/" + f.name + ending);
    }
    return out;
}

/// Takes away what the analysis that was in `folder` before says it wrote there, and nothing else.
inline void remove_previous_view(std::filesystem::path const& folder) {
    std::ifstream in(folder / "analysis.json");
    json const before = json::parse(in, nullptr, false);   // of somebody else, or none: nothing is listed
    if (!before.is_object() || !before.contains("files") || !before["files"].is_array()) return;
    std::error_code ignored;
    for (auto const& name : before["files"]) {
        std::filesystem::path const path = name.is_string() ? name.get<std::string>() : "";
        auto const place = path.parent_path(), kind = path.extension();
        if (kind == ".csv" ? place.empty() : place == "figures" && (kind == ".svg" || kind == ".pdf")) std::filesystem::remove(folder / path, ignored);
    }
}

}  // namespace detail

/// Writes analysis.json, NAME.csv, figures/NAME.svg and .pdf, report.html and report.md into `folder`, in the place of an analysis that was
/// there. \throws error naming the file, or gnuplot, that failed
inline void write_view(std::filesystem::path const& folder, view_page const& v) {
    make_folder(folder / "figures");
    detail::remove_previous_view(folder);
    auto numbers = v.numbers;
    numbers["files"] = detail::files_of(v);
    write_atomically(folder / "analysis.json", [&](std::ostream& out) { out << numbers.dump(1) << '\n'; });
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
