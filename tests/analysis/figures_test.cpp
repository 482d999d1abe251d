#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/curve_figures.hpp>
#include <attnlab/analysis/map_figures.hpp>

#include "synthetic.hpp"

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(figures)

namespace {
std::vector<lab::drawn_policy> drawn(lab::results const& rows, lab::manifest const& m = synthetic::plan()) {
    return lab::drawn_policies(rows, lab::summarise(rows, m));
}
std::vector<lab::sample> samples() {
    std::vector<lab::sample> out;
    for (auto const& p : lab::known_policies) out.push_back(synthetic::maps(std::string(p.name), 1));
    return out;
}
}  // namespace

BOOST_AUTO_TEST_CASE(curves_are_means_and_bands_are_all_seeds) {
    auto m = synthetic::plan();
    m.policies = {"softmax"};
    lab::results rows;
    for (int seed : {1, 2, 4}) rows.add("softmax", seed, 250, {"excess"}, seed);
    auto const f = lab::loss_figure(m, drawn(rows, m));
    lab::check(f);
    auto const& c = f.panels.at(0).curves.at(0);
    BOOST_TEST(c.x.at(0) == 250);
    BOOST_TEST(c.y.at(0) == 7 / 3.0, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(c.low.at(0) == 1);
    BOOST_TEST(c.high.at(0) == 4);
}

BOOST_AUTO_TEST_CASE(every_figure_is_sound_also_with_holes) {
    auto const m = synthetic::plan();
    lab::results half;
    for (auto const& r : synthetic::runs(m))
        if (r.policy != "sigmoid" && r.metric != "value_ratio" && r.metric != "resid_post.kurtosis") half.add(r);
    for (auto const& rows : {synthetic::runs(m), half}) {
        auto const p = drawn(rows);
        lab::check(lab::loss_figure(m, p));
        lab::check(lab::sink_figure(p, std::numeric_limits<double>::quiet_NaN()));
        lab::check(lab::magnitude_figure(p));
        lab::check(lab::drain_figure(p));
        lab::check(lab::kurtosis_figure(p));
    }
    BOOST_TEST(drawn(half).size() == 5u);
    BOOST_TEST(drawn(half).back().colour == 4u);  // a policy keeps its colour when another is missing
}

BOOST_AUTO_TEST_CASE(heads_are_points_of_both_measures) {
    auto m = synthetic::plan();
    m.policies = {"mine"};
    lab::results rows;
    rows.add("mine", 1, 0, {"bos_mass", 0, 1}, .7);
    rows.add("mine", 1, 0, {"value_ratio", 0, 1}, .2);
    rows.add("mine", 2, 0, {"bos_mass", 0, 1}, .9);  // its value ratio is missing: no point
    rows.add("mine", 1, 0, {"bos_mass", 0}, .5);     // a mean, no head
    auto const f = lab::drain_figure(drawn(rows, m));
    auto const& c = f.panels.at(0).curves.at(0);
    BOOST_TEST(c.x == std::vector<double>{.7}, boost::test_tools::per_element());
    BOOST_TEST(c.y == std::vector<double>{.2}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(own_policies_have_colours_of_their_own) {
    std::vector<std::string> const all = {"mine", "softmax", "yours"};
    BOOST_TEST(lab::policy_colour("softmax", all) == 0u);
    BOOST_TEST(lab::policy_colour("mine", all) == 6u);
    BOOST_TEST(lab::policy_colour("yours", all) == 7u);
}

BOOST_AUTO_TEST_CASE(maps) {
    auto const all = samples();
    auto const f = lab::map_figure(all);
    lab::check(f);
    BOOST_TEST(f.columns == 6u);
    BOOST_TEST(f.rows() == 6u);
    BOOST_TEST(lab::strongest_sink(all[0], 1) == 0);
    auto const T = static_cast<std::size_t>(all[0].length());
    double const mean = f.panels[0].map->values[T], strongest = f.panels[1].map->values[T];  // query 1, key 0
    BOOST_TEST(strongest == .9, boost::test_tools::tolerance(1e-6));
    BOOST_TEST(mean == .75, boost::test_tools::tolerance(1e-6));
    lab::check(lab::close_up_figure(all[0], 0, 0));

    auto other = all;
    other[1].pattern.resize({2, 4, 20, 20});
    BOOST_CHECK_THROW(lab::map_figure(other), lab::error);
    BOOST_CHECK_THROW(lab::map_figure({}), lab::error);
}

BOOST_AUTO_TEST_CASE(the_head_that_switches) {
    auto const all = samples();
    auto const at = lab::most_switching_head(all);
    BOOST_TEST(at.sample == 0u);
    BOOST_TEST(at.layer == 0);  // only there some queries leave BOS
    BOOST_TEST(at.head == 0);
}

BOOST_AUTO_TEST_CASE(deep_models_show_three_layers) {
    BOOST_TEST(lab::detail::shown_layers(1) == (std::vector<lab::index_t>{0}), boost::test_tools::per_element());
    BOOST_TEST(lab::detail::shown_layers(2) == (std::vector<lab::index_t>{0, 1}), boost::test_tools::per_element());
    BOOST_TEST(lab::detail::shown_layers(12) == (std::vector<lab::index_t>{0, 6, 11}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
