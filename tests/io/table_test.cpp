#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <limits>
#include <string>

#include <attnlab/io/markup.hpp>
#include <attnlab/io/table.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(tables)

namespace {

table example() {
    table t{"losses", {"policy", "loss"}};
    t.add({"softmax", "1.95"});
    t.add({"a|b <i>", "2.1 \xc2\xb1 0.3"});
    return t;
}

}  // namespace

BOOST_AUTO_TEST_CASE(text_is_aligned) {
    BOOST_TEST(to_text(example()) ==
               "losses\n"
               "policy        loss\n"
               "-------  ---------\n"
               "softmax       1.95\n"
               "a|b <i>  2.1 \xc2\xb1 0.3\n");
    table lines{"", {"x"}};
    lines.add({"a\nb"});
    BOOST_TEST(to_text(lines) == "x\n---\na b\n");
}

BOOST_AUTO_TEST_CASE(markdown_is_escaped) {
    BOOST_TEST(to_markdown(example()) ==
               "**losses**\n\n"
               "| policy     |      loss |\n"
               "| ---------- | --------: |\n"
               "| softmax    |      1.95 |\n"
               "| a\\|b \\<i\\> | 2.1 \xc2\xb1 0.3 |\n");
    BOOST_TEST(markdown_escaped("value_bias _x_ a*b\n") == "value_bias \\_x\\_ a\\*b ");
}

BOOST_AUTO_TEST_CASE(html_is_escaped) {
    auto t = example();
    t.title = "<script>\"'&";
    t.alignment = {align::right, align::left};
    auto const html = to_html(t);
    BOOST_TEST(names(html, "<caption>&lt;script&gt;&quot;&#39;&amp;</caption>", "<th class=\"right\">policy</th><th>loss</th>",
                     "<td class=\"right\">a|b &lt;i&gt;</td>"));
    BOOST_TEST(html.find("<script>") == html.npos);
}

BOOST_AUTO_TEST_CASE(a_row_of_another_width_is_refused) {
    auto t = example();
    BOOST_TEST(names(error_of([&] { t.add({"one"}); }), "'losses'", "expected 2", "found 1"));
    BOOST_TEST(t.rows.size() == 2u);
}

BOOST_AUTO_TEST_CASE(numbers_become_cells) {
    BOOST_TEST(cell(1.955280912) == "1.955");
    BOOST_TEST(cell(1e-7) == "1e-07");
    BOOST_TEST(cell(std::numeric_limits<double>::infinity()) == "inf");
    BOOST_TEST(fixed_cell(2, 3) == "2.000");
    BOOST_TEST(fixed_cell(1e308, 100).size() == 410u);
    for (double x : {0.1, 1.0 / 3, 1e300, -5e-324}) BOOST_TEST(std::strtod(exact_cell(x).c_str(), nullptr) == x);
}

BOOST_AUTO_TEST_SUITE_END()
