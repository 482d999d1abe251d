#include <boost/test/unit_test.hpp>

#include <string>

#include <attnlab/io/page.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(pages)

namespace {

constexpr char const* drawing =
    "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"><defs><path id='p'/><g id=\"q\"/></defs>"
    "<use xlink:href='#p'/><use href=\"#q\"/><g filter=\"url(#q)\" width=\"1\"/></svg>\n";

}  // namespace

BOOST_AUTO_TEST_CASE(the_same_calls_make_both_languages) {
    page p("Report <1>");
    p.heading(2, "Loss & floor");
    p.paragraph("a < b, value_bias *not bold*");
    p.list({"one", "two & three"});
    p.code("x <- `1`\n```");
    table t{"t", {"policy", "loss"}};
    t.add({"softmax", "1.9"});
    p.add(t);
    p.raw("<hr>", "---");
    p.figure_svg(drawing, "figures/loss.svg", "Loss [nats]");
    auto const html = p.html();
    BOOST_TEST(names(html, "<title>Report &lt;1&gt;</title>", "<h1>Report &lt;1&gt;</h1>", "<h2>Loss &amp; floor</h2>", "<p>a &lt; b, value_bias *not bold*</p>",
                     "<li>two &amp; three</li>", "x &lt;- `1`", "<caption>t</caption>", "<hr>", "<figcaption>Loss [nats]</figcaption>",
                     "prefers-color-scheme: dark", "@media print", "name=\"viewport\""));
    for (auto const* const foreign : {"<script", "<link", "src=", "@import", "<?xml"}) BOOST_TEST(html.find(foreign) == html.npos, foreign);
    BOOST_TEST(p.markdown() ==
               "# Report \\<1\\>\n\n"
               "## Loss & floor\n\n"
               "a \\< b, value_bias \\*not bold\\*\n\n"
               "- one\n- two & three\n\n"
               "````\nx <- `1`\n```\n````\n\n"
               "**t**\n\n| policy  | loss |\n| ------- | ---: |\n| softmax |  1.9 |\n\n"
               "---\n\n"
               "![Loss \\[nats\\]](<figures/loss.svg>)\n\n*Loss \\[nats\\]*\n");
}

BOOST_AUTO_TEST_CASE(ids_of_two_figures_do_not_clash) {
    page p("x");
    p.figure_svg(drawing, "a.svg", "a");
    p.figure_svg(drawing, "b.svg", "b");
    auto const html = p.html();
    for (std::string const f : {"figure-1-", "figure-2-"})
        BOOST_TEST(names(html, "<path id='" + f + "p'", "<g id=\"" + f + "q\"", "href='#" + f + "p'", "href=\"#" + f + "q\"", "url(#" + f + "q)"));
    BOOST_TEST(html.find("'#p'") == html.npos);
    BOOST_TEST(names(html, "width=\"1\""));
}

BOOST_AUTO_TEST_CASE(pages_are_written_whole) {
    folder f;
    page p("x");
    p.write_html(f / "report.html");
    p.write_markdown(f / "report.md");
    BOOST_TEST(read_text(f / "report.html") == p.html());
    BOOST_TEST(read_text(f / "report.md") == "# x\n");
    BOOST_TEST(names(error_of([&] { p.write_html(f / "no/report.html"); }), "no/report.html"));
    BOOST_TEST(names(error_of([&] { p.figure_svg("no drawing", "a.svg", ""); }), "SVG"));
    BOOST_TEST(names(error_of([&] { p.heading(7, "x"); }), "level 7"));
}

BOOST_AUTO_TEST_SUITE_END()
