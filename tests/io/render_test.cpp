#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <attnlab/io/render.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(rendering)

namespace {

figure every_kind() {
    panel lines, groups, map, empty, space;
    lines.y.log = true;
    lines.curves = {{.label = "value_bias", .x = {0, 1, 2}, .y = {3, -1, std::nan("")}, .low = {1, 1, 1}, .high = {4, 5, 6}},
                    {.label = "none"},
                    {.label = "points", .x = {1}, .y = {7}, .style = draw::points, .dashed = true}};
    lines.references = {{2, "floor"}, {1, "", true}};
    groups.x.names = {"100% 'a' `touch pwned`", "b\\n\"q\""};
    groups.groups = {{.label = "s", .values = {1, 2}, .low = {0.5, 1.5}, .high = {1.5, 2.5}, .colours = {1, 2}}};
    map.map = heat_map{2, 3, {1, 2, 3, 4, std::nan(""), -6}};
    empty.map = heat_map{1, 1, {std::nan("")}};
    lines.curves.push_back({.label = "bars", .x = {0, 1}, .y = {2, 3}, .low = {1, 2}, .high = {3, 4}, .bars = true});
    space.x.label = "100% 'c'", space.y.label = "|x|";
    space.heights = relief{2, 3, {0, std::nan(""), 5, 1, 2, 3}, "row", {{0, "`touch pwned`"}, {1, "b\\n"}}, {{2, "two"}}, {1}};
    return figure{.title = "kinds & <more> \xc2\xb1", .panels = {lines, groups, map, empty, space}, .columns = 2, .row_titles = {"one", "two", "three"}, .shared_axes = false};
}

bool has_gnuplot() { return std::system("gnuplot --version > /dev/null 2>&1") == 0; }

}  // namespace

BOOST_AUTO_TEST_CASE(one_process_draws_all_kinds_in_all_formats, *boost::unit_test::precondition([](auto) { return has_gnuplot(); })) {
    folder f;
    figure log_map{.panels = {panel{.map = heat_map{1, 4, {0, 1e-9, 0.1, 1}}}, panel{.map = heat_map{4, 1, {0, 1e-9, 0.1, 1}}}, panel{.map = heat_map{1, 1, {0.5}}}}, .colour = {.label = "w_eight", .log = true}};
    log_map.shared_axes = false;
    render({{every_kind(), f / "a"}, {log_map, f / "b"}}, {"svg", "pdf", "png"});
    BOOST_TEST(f.count() == 6u);
    auto const svg = read_text(f / "a.svg");
    BOOST_TEST(names(svg, "<title>kinds &amp; &lt;more&gt; \xc2\xb1</title>", ">value_bias<", ">100% 'a' `touch pwned`<", "sans-serif", "</svg>", "<image style"));
    BOOST_TEST(!std::filesystem::exists("pwned"));
    BOOST_TEST(svg.find("<title>", svg.find("<title>") + 1) == svg.npos);   // names of groups would be shown as tooltips
    auto const maps = read_text(f / "b.svg");
    BOOST_TEST(names(maps, "<title>b</title>", ">w_eight (log)<"));
    int pictures = 0;
    for (std::size_t at = 0; (at = maps.find("<image", at)) != maps.npos; ++at) ++pictures;
    BOOST_TEST(pictures == 4);  // a lone row, a lone column, a lone cell, and the colour bar
    BOOST_TEST(read_text(f / "a.pdf").starts_with("%PDF"));
    BOOST_TEST(read_text(f / "b.png").starts_with("\x89PNG"));
}

BOOST_AUTO_TEST_CASE(a_panel_is_where_the_layout_says, *boost::unit_test::precondition([](auto) { return has_gnuplot(); })) {
    folder f;
    panel p;
    p.curves = {{.x = {0, 10}, .y = {0, 10}}};
    p.x.range = p.y.range = shown_range{0, 10};
    figure const one{.panels = {p}};
    render(one, f / "a");
    auto const l = detail::make_layout(one);
    char corner[64];
    // The curve begins in the lower left corner of the plotting area.
    std::snprintf(corner, sizeof corner, "M%.0f.", std::floor(l.panels[0].left));
    BOOST_TEST(names(read_text(f / "a.svg"), corner));
}

BOOST_AUTO_TEST_CASE(errors_are_one_clear_line) {
    folder f;
    BOOST_TEST(names(error_of([&] { render({{every_kind(), f / "a"}}, {"gif"}); }), "gif", "svg, pdf or png"));
    auto wrong = every_kind();
    wrong.columns = 0;
    BOOST_TEST(names(error_of([&] { render(wrong, f / "a"); }), "kinds", "column"));
    if (has_gnuplot()) BOOST_TEST(names(error_of([&] { render(every_kind(), f / "no/a"); }), "no/a.svg"));
    BOOST_TEST(f.count() == 0u);

    std::string const path = std::getenv("PATH");
    ::setenv("PATH", f.path.c_str(), 1);
    BOOST_TEST(names(error_of([&] { render(every_kind(), f / "a"); }), "gnuplot", "PATH", "gnuplot-nox"));
    f.write("gnuplot", "#!/bin/sh\necho 'first'\necho '\"x\" line 3: no such plot' >&2\nexit 2\n");
    std::filesystem::permissions(f / "gnuplot", std::filesystem::perms::owner_all);
    BOOST_TEST(names(error_of([&] { render(every_kind(), f / "a"); }), "gnuplot", "line 3: no such plot"));
    ::setenv("PATH", path.c_str(), 1);
    BOOST_TEST(f.count() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
