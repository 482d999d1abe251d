#pragma once
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/markup.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// A report: the same calls make one self-contained HTML page (style and figures inside, no script, nothing fetched) and one
/// Markdown file that links the figures beside it.

namespace attnlab {

namespace detail {

inline constexpr std::string_view page_style = R"(
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5d6673; --line: #dfe3e8; --ground: #fff; --tint: #f5f7f9; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e3e6ea; --soft: #9aa4b1; --line: #343b45; --ground: #14171c; --tint: #1d2229; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 58rem; color: var(--ink); background: var(--ground);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2.2em 0 .6em; text-wrap: balance; }
h1 { font-size: 1.9rem; margin-top: 0; }
h2 { font-size: 1.35rem; padding-bottom: .3em; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.1rem; }
p, ul { max-width: 44rem; }
.wide { overflow-x: auto; margin: 1.5rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0 0 .5em; }
th, td { text-align: left; padding: .35em .9em; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { padding-left: .2em; }
thead th { border-bottom: 2px solid var(--soft); font-weight: 600; }
tbody tr:hover { background: var(--tint); }
.right { text-align: right; }
figure { margin: 2rem 0; }
figure svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
@media screen and (prefers-color-scheme: dark) { figure > div { background: #fff; border-radius: 6px; padding: .75rem; } }
figcaption { margin-top: .6rem; color: var(--soft); font-size: .9rem; max-width: 44rem; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em; }
pre { background: var(--tint); border-radius: 6px; padding: .9em 1.1em; overflow-x: auto; line-height: 1.45; }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; } h2, h3 { break-after: avoid; }
  figure, table, pre { break-inside: avoid; } .wide { overflow: visible; } }
)";

/// The `<svg>` element alone, its ids made unique by `prefix`: programs give every drawing the same ids, and a reference in one
/// drawing of a page would find the element of another. \throws error when there is none
inline std::string inlined_svg(std::string_view svg, std::string_view prefix) {
    auto const begin = svg.find("<svg"), end = svg.rfind("</svg>");
    require(begin != svg.npos && end != svg.npos && begin < end, "page: figure: expected an SVG drawing");
    svg = svg.substr(begin, end + 6 - begin);
    static constexpr std::string_view before_id[] = {" id=\"", " id='", "href=\"#", "href='#", "url(#", "url('#", "url(\"#"};
    std::string out;
    for (std::size_t at = 0; at < svg.size();) {
        auto const rest = svg.substr(at);
        auto const* const found = std::find_if(std::begin(before_id), std::end(before_id), [&](auto word) { return rest.starts_with(word); });
        if (found == std::end(before_id)) {
            out += svg[at++];
            continue;
        }
        out.append(*found).append(prefix);
        at += found->size();
    }
    return out;
}

}  // namespace detail

/// Grows block by block; texts are plain and escaped, but for `raw`.
class page {
public:
    explicit page(std::string title) : title_(std::move(title)) { heading(1, title_); }

    /// Level 1 (the title is one) to 6. \throws error on another level
    void heading(int level, std::string_view words) {
        require(1 <= level && level <= 6, "page: heading: level ", level, ": expected 1 to 6");
        auto const tag = text("h", level, ">");
        add("<" + tag + html_escaped(words) + "</" + tag, std::string(static_cast<std::size_t>(level), '#') + " " + markdown_escaped(words));
    }
    void paragraph(std::string_view words) { add("<p>" + html_escaped(words) + "</p>", markdown_escaped(words)); }

    void list(std::vector<std::string> const& items) {
        std::string html = "<ul>\n", markdown;
        for (auto const& item : items) {
            html += "<li>" + html_escaped(item) + "</li>\n";
            markdown += (markdown.empty() ? "- " : "\n- ") + markdown_escaped(item);
        }
        add(html + "</ul>", markdown);
    }

    /// Commands, formulas, output: spaces and lines as they are.
    void code(std::string_view words) {
        std::string fence = "```";
        while (words.find(fence) != words.npos) fence += '`';
        add("<pre><code>" + html_escaped(words) + "</code></pre>", fence + "\n" + std::string(words) + "\n" + fence);
    }

    void add(table const& t) { add("<div class=\"wide\">" + to_html(t) + "</div>", to_markdown(t)); }

    /// A drawing, inside the HTML; Markdown links `link`, e.g. "figures/loss.svg". \throws error when `svg` is no SVG
    void figure_svg(std::string_view svg, std::string_view link, std::string_view caption) {
        auto const drawing = detail::inlined_svg(svg, text("figure-", ++figures_, "-"));
        add("<figure><div>" + drawing + "</div><figcaption>" + html_escaped(caption) + "</figcaption></figure>",
            "![" + markdown_escaped(caption) + "](<" + std::string(link) + ">)\n\n*" + markdown_escaped(caption) + "*");
    }

    /// The same thing said in both languages, as it is.
    void raw(std::string html, std::string markdown) { add(std::move(html), std::move(markdown)); }

    std::string html() const {
        return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
               html_escaped(title_) + "</title>\n<style>" + std::string(detail::page_style) + "</style>\n</head>\n<body>\n<main>\n" + html_ +
               "</main>\n</body>\n</html>\n";
    }
    std::string const& markdown() const { return markdown_; }

    /// Write the page, atomically. \throws error naming the path
    void write_html(std::filesystem::path const& path) const {
        write_atomically(path, [&](std::ostream& out) { out << html(); });
    }
    void write_markdown(std::filesystem::path const& path) const {
        write_atomically(path, [&](std::ostream& out) { out << markdown(); });
    }

private:
    void add(std::string html, std::string markdown) {
        html_ += std::move(html) + '\n';
        markdown.erase(markdown.find_last_not_of('\n') + 1);
        markdown_ += (markdown_.empty() ? "" : "\n") + std::move(markdown) + '\n';
    }

    std::string title_, html_, markdown_;
    int figures_ = 0;
};

}  // namespace attnlab
