#include <limits>
#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/comparison.hpp>

#include "synthetic.hpp"

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(comparison)

namespace {
lab::table made(lab::results const& rows, lab::manifest const& m = synthetic::plan()) {
    return lab::comparison_table(m, rows, lab::summarise(rows, m));
}
std::string cell(lab::table const& t, std::string const& row, std::string const& column) {
    auto const c = std::find(t.header.begin(), t.header.end(), column) - t.header.begin();
    for (auto const& r : t.rows)
        if (r[0] == row) return r.at(static_cast<std::size_t>(c));
    return "no such row";
}
}  // namespace

BOOST_AUTO_TEST_CASE(every_number_of_the_table_comes_from_the_rows) {
    auto const m = synthetic::plan();
    auto const rows = synthetic::runs(m);
    auto const before = made(rows);
    for (auto const& row : lab::detail::comparison_rows(m)) {
        lab::results changed;
        for (lab::result r : rows) {
            bool const here = r.policy == "softmax" && r.metric == row.at.metric && r.head == lab::whole &&
                              (row.fold == lab::detail::comparison_row::sum_of_layers ? r.layer >= 0 : r.layer == row.at.layer);
            if (here) r.value += 3;
            changed.add(r);
        }
        auto const after = made(changed);
        for (std::size_t i = 0; i < before.rows.size(); ++i)
            for (std::size_t c = 1; c < before.header.size(); ++c) {
                bool const expected = before.rows[i][0] == row.title && before.header[c] == "(a) softmax";
                BOOST_TEST((before.rows[i][c] != after.rows[i][c]) == expected, row.title << " changed: " << before.rows[i][0]);
            }
    }
}

BOOST_AUTO_TEST_CASE(mean_and_interval_by_hand) {
    auto m = synthetic::plan();
    m.policies = {"softmax"};
    lab::results rows;
    for (int seed : {1, 2, 3}) rows.add("softmax", seed, 1500, {"bos_mass", 0}, .6 + .1 * seed);
    BOOST_TEST(cell(made(rows, m), "L0 BOS mass", "(a) softmax") == "0.80 ± 0.25");  // 4.3027 * .1 / sqrt(3)
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_a_dash_and_not_zero) {
    auto const m = synthetic::plan();
    lab::results rows;
    for (auto const& r : synthetic::runs(m)) {
        bool const gone = r.policy == "sigmoid" || (r.policy == "softmax" && r.metric == "excess") || (r.policy == "value_bias" && r.seed == 2);
        if (!gone) rows.add(r);
    }
    auto const t = made(rows);
    for (auto const& row : t.rows) BOOST_TEST(row.back() == lab::absent);
    BOOST_TEST(cell(t, "excess, nats", "(a) softmax") == lab::absent);
    BOOST_TEST(cell(t, "copy accuracy", "(a) softmax") == "1");
    BOOST_TEST(cell(t, "copy accuracy", "(b) value_bias") == "1 (2 of 3)");
}

BOOST_AUTO_TEST_CASE(what_was_never_reached_is_said) {
    auto const m = synthetic::plan();
    double const never = std::numeric_limits<double>::quiet_NaN();
    lab::results rows;
    for (lab::result r : synthetic::runs(m)) {
        if (r.metric == "steps_to_excess_0.1" && (r.policy == "sigmoid" || (r.policy == "softmax" && r.seed == 3))) r.value = never;
        if (r.metric == "excess" && r.policy == "sigmoid") r.value = never;
        rows.add(r);
    }
    auto const t = made(rows);
    BOOST_TEST(cell(t, "steps to excess 0.1", "(f) sigmoid") == "not reached");
    BOOST_TEST(cell(t, "steps to excess 0.1", "(a) softmax") == "750 (2 of 3)");
    BOOST_TEST(cell(t, "excess, nats", "(f) sigmoid") == "NaN");
}

BOOST_AUTO_TEST_CASE(text_has_another_first_row) {
    auto const m = synthetic::plan("a.txt");
    auto const t = made(synthetic::runs(m), m);
    BOOST_TEST(t.rows[0][0] == "validation loss, nats");
    BOOST_TEST(cell(t, "steps to excess 0.1", "(a) softmax") == "no such row");
    BOOST_TEST(cell(t, "\u2003at triggers", "(a) softmax") == "no such row");
}

BOOST_AUTO_TEST_CASE(definitions_of_what_was_used) {
    lab::results rows;
    rows.add("softmax", 1, 0, {"loss"}, 1);
    rows.add({"softmax", 1, 0, 0, 0, "mine", 1, "a number of mine"});
    auto const t = lab::definitions_table(rows);
    BOOST_REQUIRE(t.rows.size() == 2u);
    BOOST_TEST(t.rows[0][0] == "loss");
    BOOST_TEST(t.rows[1][2] == "a number of mine");
}

BOOST_AUTO_TEST_CASE(numbers_as_printed) {
    BOOST_TEST(lab::number(.0254) == "0.025");
    BOOST_TEST(lab::number(13.96) == "14.0");
    BOOST_TEST(lab::number(6) == "6");
    BOOST_TEST(lab::number(156224) == "156\u202f224");
    BOOST_TEST(lab::number(-1234567, 0) == "-1\u202f234\u202f567");
    BOOST_TEST(lab::number(std::numeric_limits<double>::quiet_NaN()) == "NaN");
    BOOST_TEST(lab::range_text(.0251, .0249) == "0.025");
    BOOST_TEST(lab::listed({"a", "b", "c"}) == "a, b and c");
}

BOOST_AUTO_TEST_CASE(how_it_was_run) {
    auto const t = lab::run_table(synthetic::plan());
    BOOST_TEST(t.rows[0][1] == "attnlab reproduce --out <runs> & co");
    BOOST_TEST(t.rows.back()[1] == "learning_rate 0.01, batch 16");
}

BOOST_AUTO_TEST_SUITE_END()
