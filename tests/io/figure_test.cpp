#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/io/figure.hpp>
#include <attnlab/io/figure_layout.hpp>
#include <attnlab/io/figure_scale.hpp>
#include <attnlab/io/figure_script.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(figures)

namespace {

double const gap = std::numeric_limits<double>::quiet_NaN();

figure two_curves() {
    panel p;
    p.x.label = "step";
    p.y.label = "loss";
    p.curves = {{.label = "a", .x = {0, 1, 2}, .y = {3, 2, 1}, .colour = 1}, {.label = "b", .x = {0, 4}, .y = {gap, 5}, .low = {1, 4}, .high = {2, 6}}};
    return figure{.title = "two", .panels = {p}};
}

std::string error_for(figure const& f) {
    return error_of([&] { check(f); });
}

std::vector<std::string> labels(std::vector<detail::tick> const& ticks) {
    std::vector<std::string> out;
    for (auto const& t : ticks) out.push_back(t.label);
    return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_does_not_fit_together_is_named) {
    BOOST_CHECK_NO_THROW(check(two_curves()));
    auto f = two_curves();
    f.panels[0].curves[0].y.pop_back();
    BOOST_TEST(names(error_for(f), "figure 'two'", "curve y", "expected 3", "found 2"));
    f = two_curves();
    f.panels[0].curves[1].high.clear();
    BOOST_TEST(names(error_for(f), "curve high"));
    f = two_curves();
    f.panels.clear();
    BOOST_TEST(names(error_for(f), "panel"));
    f = two_curves();
    f.row_titles = {"one", "too many"};
    BOOST_TEST(names(error_for(f), "row_titles", "expected 1"));
    f = two_curves();
    f.panels[0].y.range = shown_range{2, 1};
    BOOST_TEST(names(error_for(f), "'loss'", "low to high"));
    f.panels[0].y.range = shown_range{0, 1};
    f.panels[0].y.log = true;
    BOOST_TEST(names(error_for(f), "'loss'", "above 0"));
    f = two_curves();
    f.panels[0].map = heat_map{2, 2, {1, 2, 3, 4}};
    BOOST_TEST(names(error_for(f), "heat map"));
    f.panels[0].curves.clear();
    BOOST_CHECK_NO_THROW(check(f));
    f.panels[0].map->values.pop_back();
    BOOST_TEST(names(error_for(f), "heat map", "expected 4", "found 3"));
    f.panels[0].map.reset();
    f.panels[0].groups = {{.label = "g", .values = {1, 2}}};
    BOOST_TEST(names(error_for(f), "bars", "expected 0"));
    f = two_curves();
    f.width = 1e9;
    BOOST_TEST(names(error_for(f), "width"));
    f = two_curves();
    f.columns = 60;
    BOOST_TEST(names(error_of([&] { detail::make_layout(f); }), "width"));
}

BOOST_AUTO_TEST_CASE(ticks_are_round_numbers) {
    using detail::linear_ticks, detail::log_ticks;
    auto const same = boost::test_tools::per_element();
    BOOST_TEST(labels(linear_ticks({0, 1}, 5, false)) == (std::vector<std::string>{"0", "0.2", "0.4", "0.6", "0.8", "1"}), same);
    BOOST_TEST(labels(linear_ticks({-0.2, 3.1}, 20, true)) == (std::vector<std::string>{"0", "1", "2", "3"}), same);
    BOOST_TEST(labels(linear_ticks({0, 2.4e6}, 5, true)) == (std::vector<std::string>{"0", "0.5M", "1M", "1.5M", "2M"}), same);
    BOOST_TEST(labels(log_ticks({0.5, 2000}, 6)) == (std::vector<std::string>{"1", "10", "100", "1000"}), same);
    BOOST_TEST(labels(log_ticks({1e-8, 1}, 5)).front() == "10^{-8}");
    BOOST_TEST(labels(log_ticks({3, 40}, 5)) == (std::vector<std::string>{"5", "10", "20"}), same);
    BOOST_TEST(log_ticks({2.1, 4.9}, 5).size() >= 2u);
    BOOST_TEST(labels(detail::name_ticks({"a", "b", "c", "d"}, 2)) == (std::vector<std::string>{"a", "c"}), same);
}

BOOST_AUTO_TEST_CASE(ranges_hold_the_data) {
    auto f = two_curves();
    auto const l = detail::make_layout(f);
    auto const& p = l.panels.at(0);
    BOOST_TEST(p.x.range.low == 0);
    BOOST_TEST(p.x.range.high >= 4);
    BOOST_TEST(p.y.range.low <= 1);
    BOOST_TEST(p.y.range.high >= 6);
    BOOST_TEST(l.legend.size() == 2u);
    BOOST_TEST(p.left + p.width <= l.width);
    BOOST_TEST(p.top + p.height <= l.height);

    for (auto& c : f.panels[0].curves) c.y.assign(c.y.size(), gap), c.low.clear(), c.high.clear();
    for (bool log : {false, true}) {
        f.panels[0].y.log = log;
        auto const y = detail::make_layout(f).panels.at(0).y;
        BOOST_TEST(y.range.low < y.range.high);
        BOOST_TEST(!y.ticks.empty());
    }
    // One range for panels that share their axes, one each for those that do not.
    f = two_curves();
    f.panels.push_back(f.panels[0]);
    f.panels[1].curves[0].y = {300, 200, 100};
    f.columns = 2;
    auto const shared = detail::make_layout(f);
    BOOST_TEST(shared.panels[0].y.range.high == shared.panels[1].y.range.high);
    BOOST_TEST(!shared.panels[1].outer_left);
    f.shared_axes = false;
    auto const apart = detail::make_layout(f);
    BOOST_TEST(apart.panels[0].y.range.high < 10);
    BOOST_TEST(apart.panels[1].y.range.high >= 300);
}

BOOST_AUTO_TEST_CASE(bars_stand_on_zero_and_maps_fill_their_panel) {
    panel p;
    p.x.names = {"a", "b"};
    p.groups = {{.label = "g", .values = {5, 6}, .low = {4, 5}, .high = {6, 7}}};
    auto const bars = detail::make_layout(figure{.panels = {p}}).panels.at(0);
    BOOST_TEST(bars.y.range.low == 0);
    BOOST_TEST(bars.y.range.high >= 7);
    panel q;
    q.map = heat_map{2, 3, {1, 2, 3, 4, gap, -6}};
    figure f{.panels = {q}, .palette = colours::diverging};
    auto const l = detail::make_layout(f);
    BOOST_TEST(l.panels[0].x.range.low == -0.5);
    BOOST_TEST(l.panels[0].x.range.high == 2.5);
    BOOST_TEST(l.panels[0].y.range.high == 1.5);
    BOOST_TEST(l.colour.range.low == -6);
    BOOST_TEST(l.colour.range.high == 6);
}

BOOST_AUTO_TEST_CASE(a_relief_keeps_its_spikes_and_few_points) {
    relief r{3, 1000, std::vector<double>(3000, 0.01), "token", {}, {}, {1}};
    r.values[1 * 1000 + 500] = 80;
    auto const data = detail::relief_data(r, std::nullopt, "$r");
    BOOST_TEST(std::count(data.begin(), data.end(), '\n') < 30);
    BOOST_TEST(detail::relief_top(r, std::nullopt) == 80);
    auto const peak = detail::relief_place(500. / 999, 0.5, 1);
    BOOST_TEST(names(data, detail::gp_number(peak.x) + " " + detail::gp_number(peak.y)));
    panel p;
    p.heights = r;
    BOOST_CHECK_NO_THROW(check(figure{.panels = {p}}));
    p.heights->highlighted = {3};
    BOOST_TEST(names(error_for(figure{.panels = {p}}), "highlighted row 3", "below 3"));
    p.heights->values.pop_back();
    BOOST_TEST(names(error_for(figure{.panels = {p}}), "relief", "expected 3000"));
    p.heights = r;
    p.curves = two_curves().panels[0].curves;
    BOOST_TEST(names(error_for(figure{.panels = {p}}), "relief", "nothing else"));
}

BOOST_AUTO_TEST_CASE(texts_cannot_leave_their_quotes) {
    BOOST_TEST(detail::gp_quoted("it's\n`ls`") == "'it''s `ls`'");
    auto f = two_curves();
    f.title = "'; system('false') #";
    f.panels[0].x.names = {"50%", "b"};
    auto const script = detail::figure_script(f, "f").drawing();
    BOOST_TEST(names(script, "'''; system(''false'') #'", "'50%%' 0"));
}

BOOST_AUTO_TEST_CASE(a_long_row_title_breaks_at_plus) {
    panel p;
    p.map = heat_map{2, 2, {1, 2, 3, 4}};
    figure const f{.panels = {p, p, p, p, p, p}, .columns = 6, .row_titles = {"tanh_attention+gated_bias"}};
    auto const l = detail::make_layout(f);
    BOOST_TEST(l.row_titles[0] == (std::vector<std::string>{"tanh_attention+", "gated_bias"}), boost::test_tools::per_element());
    BOOST_TEST(detail::title_lines("softmax+x", 200).size() == 1u);
    BOOST_TEST(detail::title_lines("a_name_with_no_place_to_break+", 10).size() == 1u);
}

BOOST_AUTO_TEST_CASE(legend_and_axes_say_what_is_drawn) {
    auto f = two_curves();
    f.panels[0].curves[1].y = {gap, gap};
    f.panels[0].y.log = true;
    f.panels[0].references = {{1, "one"}, {2, "two"}};
    auto const l = detail::make_layout(f);
    BOOST_TEST(l.legend[1].band);
    BOOST_TEST(!l.legend[1].line);
    BOOST_TEST(names(detail::figure_script(f, "f").drawing(), "'loss (log)'", "dt (4,4)", "dt (10,4)"));
}

BOOST_AUTO_TEST_CASE(the_same_index_is_the_same_colour) {
    BOOST_TEST(colour_of(0) == 0x0072B2u);
    BOOST_TEST(colour_of(9) == colour_of(1));
    BOOST_TEST(names(detail::figure_script(two_curves(), "f").drawing(), "'#D55E00'", "'#0072B2'"));
}

BOOST_AUTO_TEST_SUITE_END()
