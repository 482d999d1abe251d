#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/scale_panel.hpp>

#include "synthetic.hpp"

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(scale_panel)

namespace {

// Softmax: the claim holds in two seeds of three. value_bias has no sink. sigmoid is not asked.
lab::results rows() {
    lab::results out;
    for (int seed : {1, 2, 3}) {
        auto const add = [&](char const* policy, char const* name, double value, lab::index_t layer = lab::whole, lab::index_t head = lab::whole) {
            out.add(policy, seed, 1500, {std::string("sink_scale.") + name, layer, head}, value);
        };
        add("softmax", "obstacle", 0), add("value_bias", "obstacle", 0), add("sigmoid", "obstacle", 2);
        add("softmax", "sinks", 1), add("value_bias", "sinks", 0);
        for (lab::index_t head : {0, 1}) {
            add("softmax", "mean", head == 0 ? 0.2 : 0.9, 0, head);
            add("softmax", "variance", 0.125, 0, head), add("softmax", "sink_part", 0.5, 0, head);
            add("softmax", "excess_risk", head == 0 ? 0.01 : 0.3, 0, head);
            for (int p : lab::scale_percentiles) add("softmax", ("p" + std::to_string(p)).c_str(), p / 100.0, 0, head);
        }
        add("softmax", "zero_value", seed == 3 ? 0.05 : 1e-4), add("softmax", "zero_value.noise", 2e-4);
        add("softmax", "mean_scale", 0.04), add("softmax", "mean_scale.noise", 0.001);
        add("softmax", "constant_sink", 0), add("softmax", "constant_sink.noise", 0);
        add("softmax", "correlation", 0.5), add("softmax", "correlation.chance", 0.25), add("softmax", "correlation.p", 0.01);
    }
    return out;
}
lab::manifest three() {
    auto m = synthetic::plan();
    m.policies = {"softmax", "value_bias", "sigmoid"};
    return m;
}
bool has(std::string const& page, std::string const& part) { return page.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_CASE(policies_that_could_be_asked_are_columns) {
    auto const m = three();
    auto const t = lab::scale_table(m, rows(), lab::summarise(rows(), m));
    BOOST_TEST((t.header == std::vector<std::string>{"sink heads as scales", "(a) softmax", "(b) value_bias"}));
    auto const cell = [&](std::string const& name) {
        for (auto const& r : t.rows)
            if (r[0].starts_with(name)) return r[1];
        return std::string("no such row");
    };
    BOOST_TEST(cell("sink heads") == "1");
    BOOST_TEST(cell("mean of S").starts_with("0.20"));   // of the sink alone
    BOOST_TEST(cell("(ii)").starts_with("0.0400"));
    BOOST_TEST(cell("excess risk of a dormant").starts_with("0.0100"));
    BOOST_TEST(cell("excess risk of any other").starts_with("0.3000"));
    BOOST_TEST(t.rows[0][2] == "0");
    BOOST_TEST(t.rows[1][2] == lab::absent);
    auto const heads = lab::scale_heads_table(rows(), lab::summarise(rows(), m));
    BOOST_REQUIRE(heads.rows.size() == 1U);
    BOOST_TEST(heads.rows[0][3] == "0.200");
    BOOST_TEST(heads.rows[0].back() == "0.0100");
}

BOOST_AUTO_TEST_CASE(what_held_is_said) {
    auto const m = three();
    auto const said = lab::scale_text(rows(), lab::summarise(rows(), m));
    BOOST_TEST(has(said, "(a) softmax: the claim holds in 2 of 3 seeds; does not hold in 1 of 3 seeds"), said);
    BOOST_TEST(has(said, "correlation of 0.50, beyond chance (0.25, p 0.01"), said);
    BOOST_TEST(has(said, "(b) value_bias: no sink in any seed"), said);
    BOOST_TEST(has(said, "Not asked of (f) sigmoid: its weights over the keys do not sum to 1."), said);
}

BOOST_AUTO_TEST_CASE(the_figure_has_a_curve_a_head) {
    auto const m = three();
    auto const f = lab::scale_figure(rows(), lab::summarise(rows(), m));
    BOOST_REQUIRE(f.has_value());
    lab::check(*f);
    BOOST_REQUIRE(f->panels.size() == 1U);
    BOOST_TEST(f->panels[0].curves.size() == 2U);   // the heads of one seed
    BOOST_TEST(f->panels[0].curves[0].x.size() == std::size(lab::scale_percentiles));
    BOOST_TEST(!lab::scale_figure({}, lab::summarise({}, m)));
    BOOST_TEST(lab::scale_table(m, {}, lab::summarise({}, m)).rows.empty());
}

BOOST_AUTO_TEST_SUITE_END()
