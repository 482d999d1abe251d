#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/compression_table.hpp>

#include "synthetic.hpp"

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(compression_table_of_report)

namespace {

// Three seeds of two policies: W8A8 costs both the same, A8 nearly nothing, prune70 costs (a) much more.
lab::results rows() {
    lab::results out;
    for (int seed : {1, 2, 3}) {
        double const wobble = 0.01 * (seed - 2);
        out.add("softmax", seed, 1500, {"compression.W8A8"}, 0.02 + wobble);
        out.add("sigmoid", seed, 1500, {"compression.W8A8"}, 0.03 + wobble);
        out.add("softmax", seed, 1500, {"compression.A8"}, 1e-4);
        out.add("sigmoid", seed, 1500, {"compression.A8"}, -1e-4);
        out.add("softmax", seed, 1500, {"compression.prune70"}, 0.5 + wobble);
        out.add("sigmoid", seed, 1500, {"compression.prune70"}, 0.1 + wobble);
    }
    return out;
}
lab::manifest two() {
    auto m = synthetic::plan();
    m.policies = {"softmax", "sigmoid"};
    return m;
}
bool has(std::string const& page, std::string const& part) { return page.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_CASE(means_with_intervals) {
    auto const m = two();
    auto const t = lab::compression_table(m, rows(), lab::summarise(rows(), m));
    BOOST_REQUIRE(t.rows.size() == 3u);
    BOOST_TEST(t.header[1] == "(a) softmax");
    BOOST_TEST(t.rows[0][0] == "W8A8");
    BOOST_TEST(t.rows[2][0] == "prune70");
    BOOST_TEST(t.rows[2][1] == "0.500 ± 0.025");   // 4.3027 * .01 / sqrt(3)
    BOOST_TEST(t.rows[1][2].starts_with("0.000"), t.rows[1][2]);
    BOOST_TEST(t.rows[0][2] == "0.030 ± 0.025");
}

BOOST_AUTO_TEST_CASE(contrast_is_said_where_intervals_stand_apart) {
    auto const m = two();
    auto const said = lab::compression_text(rows(), lab::summarise(rows(), m));
    BOOST_TEST(has(said, "No contrast under W8A8 and A8:"), said);
    BOOST_TEST(has(said, "Under prune70 the intervals"), said);
    lab::results one_seed;
    for (auto const& r : rows())
        if (r.seed == 1) one_seed.add(r);
    BOOST_TEST(has(lab::compression_text(one_seed, lab::summarise(one_seed, m)), "Without intervals"));
}

BOOST_AUTO_TEST_CASE(nothing_compressed_is_no_table) {
    auto const m = two();
    BOOST_TEST(lab::compression_table(m, {}, lab::summarise({}, m)).rows.empty());
}

BOOST_AUTO_TEST_SUITE_END()
