#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/results.hpp>

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(results)

namespace {
lab::results three_runs() {
    lab::results r;
    for (int seed : {1, 2, 3})
        for (lab::index_t step : {0, 500}) {
            r.add("softmax", seed, step, {"bos_mass", 0}, seed + static_cast<double>(step));
            r.add("softmax", seed, step, {"bos_mass", 0, 2}, 99);
        }
    r.add("sigmoid", 1, 0, {"loss"}, 7);
    return r;
}
}  // namespace

BOOST_AUTO_TEST_CASE(a_known_metric_brings_its_definition) {
    auto const r = three_runs();
    BOOST_TEST(r.size() == 13u);
    BOOST_TEST(r.begin()->definition == lab::metric_named("bos_mass").definition);
    BOOST_TEST(r.begin()->head == lab::whole);
}

BOOST_AUTO_TEST_CASE(an_unknown_one_must_bring_its_own) {
    lab::results r;
    BOOST_CHECK_THROW(r.add("softmax", 1, 0, {"bos_mas"}, 1), lab::error);
    BOOST_CHECK_THROW(r.add({"softmax", 1, 0, 0, 0, "mine", 1, ""}), lab::error);
    BOOST_TEST(r.empty());
    r.add({"softmax", 1, 0, 0, 0, "mine", 1, "a number of mine"});
    BOOST_TEST(r.size() == 1u);
}

BOOST_AUTO_TEST_CASE(find_and_filter) {
    auto const r = three_runs();
    BOOST_TEST(r.filter({.policy = "softmax", .head = lab::whole}).size() == 6u);
    BOOST_TEST(r.filter({.policy = "relu"}).empty());
    BOOST_TEST(r.find({.seed = 2, .step = 500, .head = lab::whole}).value() == 502);
    BOOST_TEST(!r.find({.policy = "sigmoid", .metric = "bos_mass"}).has_value());
    auto const policies = r.distinct(&lab::result::policy);
    BOOST_TEST((policies == std::vector<std::string>{"softmax", "sigmoid"}));
}

BOOST_AUTO_TEST_CASE(seeds_are_summarised_at_their_last_step) {
    auto r = three_runs();
    auto e = r.last("softmax", {"bos_mass", 0});
    BOOST_TEST(e.count == 3u);
    BOOST_TEST(e.mean == 502);
    BOOST_TEST(e.median == 502);
    BOOST_TEST(r.last("softmax", {"bos_mass", 1}).empty());
    BOOST_TEST(r.last("sigmoid", {"bos_mass", 0}).empty());
    auto const steps = r.over_steps("softmax", {"bos_mass", 0});
    BOOST_TEST(steps.size() == 2u);
    BOOST_TEST(steps.at(0).size() == 3u);

    r.add("softmax", 1, 1000, {"bos_mass", 0}, std::numeric_limits<double>::quiet_NaN());
    e = r.last("softmax", {"bos_mass", 0});
    BOOST_TEST(e.count == 2u);  // the latest value is what it is: an earlier, nicer one does not stand in
    BOOST_TEST(e.missing == 1u);
    BOOST_TEST(e.mean == 502.5);
}

BOOST_AUTO_TEST_SUITE_END()
