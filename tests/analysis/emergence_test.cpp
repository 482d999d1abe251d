#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/emergence.hpp>
#include <attnlab/analysis/emergence_report.hpp>
#include <attnlab/analysis/report.hpp>

#include "synthetic.hpp"

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(emergence)

namespace {

constexpr double never = std::numeric_limits<double>::quiet_NaN();

// Two layers of two heads, looked at every 50 steps. Softmax: head 1 of layer 0 is a sink from step 100 on (for good), head 0 was one for a
// while, what enters layer 1 has its peak at the last step. Others: none.
std::vector<lab::observation> seen(bool sinks) {
    std::vector<lab::observation> out;
    for (lab::index_t step = 0; step <= 200; step += 50) {
        auto const add = [&](char const* metric, double value, lab::index_t layer, lab::index_t head = lab::whole) {
            out.push_back({step, layer, head, metric, value});
        };
        for (lab::index_t layer : {0, 1}) {
            add("sink_share", sinks && layer == 0 && step == 50 ? .8 : .1, layer, 0);
            add("sink_share", sinks && layer == 0 && step >= 100 ? .7 : .1, layer, 1);
            add("attention_entropy", 1, layer, 0);
            add("resid_post.bos_norm_ratio", sinks && (layer == 1 || step == 200) ? 3.5 : 1, layer);
        }
        add("resid_pre.bos_norm_ratio", 1, 0);
    }
    return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_step_from_which_it_stays) {
    BOOST_TEST(lab::step_from_above({{0, .1}, {50, .4}, {100, .5}}, .3) == 50);
    BOOST_TEST(lab::step_from_above({{0, .4}, {50, .3}, {100, .5}}, .3) == 100);   // 0.3 is not above 0.3
    BOOST_TEST(lab::step_from_above({{0, .4}, {50, .5}}, .3) == 0);
    BOOST_TEST(std::isnan(lab::step_from_above({{0, .4}, {50, .5}, {100, .2}}, .3)));
    BOOST_TEST(lab::step_from_above({{0, .4}, {50, never}, {100, .5}}, .3) == 100);
    BOOST_TEST(std::isnan(lab::step_from_above({}, .3)));
}

BOOST_AUTO_TEST_CASE(rows_of_a_run) {
    lab::results rows;
    lab::add_emergence(rows, "softmax", 2, 200, seen(true));
    BOOST_TEST(rows.size() == 5U * 6 + 4 + 2);   // 5 looks at 4 heads and 2 layers
    auto const step = [&](char const* metric, lab::index_t layer, lab::index_t head) {
        return rows.find({.policy = "softmax", .metric = metric, .seed = 2, .step = 200, .layer = layer, .head = head}).value();
    };
    BOOST_TEST(step("steps_to_sink", 0, 1) == 100);
    BOOST_TEST(std::isnan(step("steps_to_sink", 0, 0)));
    BOOST_TEST(std::isnan(step("steps_to_sink", 1, 1)));
    BOOST_TEST(step("steps_to_peak", 1, lab::whole) == 200);
    BOOST_TEST(std::isnan(step("steps_to_peak", 0, lab::whole)));
    BOOST_TEST(rows.find({.metric = "sink_share", .step = 50, .layer = 0, .head = 0}).value() == .8);
    for (auto const& r : rows) BOOST_TEST(lab::of_emergence(r.metric), r.metric);
    BOOST_TEST(!lab::of_emergence("loss"));
}

BOOST_AUTO_TEST_CASE(a_section_of_the_report) {
    auto m = synthetic::plan();
    m.policies = {"softmax", "sigmoid"}, m.seeds = {1, 2};
    auto rows = synthetic::runs(m);
    for (int seed : m.seeds) {
        lab::add_emergence(rows, "softmax", seed, m.steps, seen(true));
        lab::add_emergence(rows, "sigmoid", seed, m.steps, seen(false));
    }
    auto const policies = lab::summarise(rows, m);
    auto const t = lab::emergence_table(m, rows, policies);
    std::vector<std::vector<std::string>> const expected{{"(a) softmax", "0", "\u2013 100", "\u2013 100", "\u2013 \u2013"},
                                                         {"(a) softmax", "1", "\u2013 \u2013", "\u2013 \u2013", "200 200"},
                                                         {"(f) sigmoid", "all", "\u2013", "\u2013", "\u2013"}};
    BOOST_TEST_REQUIRE(t.rows.size() == 3U);
    for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(t.rows[i] == expected[i], boost::test_tools::per_element());

    auto const drawn = lab::drawn_policies(rows, policies);
    auto const sinks = lab::emergence_sink_figure(drawn);
    BOOST_TEST(sinks.panels.size() == 2U);
    BOOST_TEST(sinks.panels[0].curves.size() == 8U);   // 2 layers, 2 heads, 2 seeds
    BOOST_TEST(sinks.panels[0].curves[0].x.size() == 5U);
    BOOST_TEST(lab::emergence_peak_figure(drawn).panels[0].curves.size() == 2U);

    auto const folder = std::filesystem::temp_directory_path() / ("attnlab-emergence-" + std::to_string(::getpid()));
    lab::write_report(folder, m, rows, {});
    for (auto const* name : {"emergence_sinks.svg", "emergence_sinks.pdf", "emergence_peaks.svg", "emergence_peaks.pdf"})
        BOOST_TEST(std::filesystem::exists(folder / "figures" / name), name);
    auto const page = lab::read_text(folder / "report.md");
    BOOST_TEST(page.find("## Emergence") != page.npos);
    BOOST_TEST(lab::read_text(folder / "results.json").find("steps_to_sink") != std::string::npos);
    lab::write_report(folder, m, synthetic::runs(m), {});   // nobody looked
    BOOST_TEST(lab::read_text(folder / "report.md").find("Emergence") == std::string::npos);
    std::filesystem::remove_all(folder);
}

BOOST_AUTO_TEST_SUITE_END()
