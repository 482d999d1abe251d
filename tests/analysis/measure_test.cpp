#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/measure.hpp>

namespace lab = attnlab;
namespace tt = boost::test_tools;
using lab::site::gate;
using lab::site::pattern;
using lab::site::resid_post;
using lab::site::resid_pre;
using lab::site::slot;

BOOST_AUTO_TEST_SUITE(measure)

namespace {
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

/// B = 1, H = 2, T = 3, C = 4, D = 2. Head 0 is a sink that drains; head 1 spreads its weight.
struct small_model {
    lab::tensor<double, 4> p{{1, 2, 3, 3}, 0}, v{{1, 2, 3, 2}, 1};
    lab::tensor<double, 3> slots{{1, 2, 3}, .25}, gates{{1, 2, 3}, 1};
    lab::tensor<double, 3> x{{1, 3, 4}, 1};

    small_model() {
        double const sink[] = {1, 0, 0, .8, .2, 0, .6, .2, .2}, spread[] = {1, 0, 0, .1, .9, 0, .3, .3, .4};
        std::copy(std::begin(sink), std::end(sink), p.data());
        std::copy(std::begin(spread), std::end(spread), p.data() + 9);
        v(0, 0, 0, 0) = v(0, 0, 0, 1) = .1;
        gates(0, 0, 1) = .5;
        x(0, 0, 2) = -12;  // |x| sums to 23 over 12 numbers
    }
    /// What a forward pass of `layers` layers shows.
    void forward(lab::measure<double>& m, lab::index_t layers = 1) const {
        for (lab::index_t l = 0; l < layers; ++l) {
            m(resid_pre{}, l, *x);
            m(lab::site::v{}, l, *v);
            m(pattern{}, l, *p);
            m(slot{}, l, *slots);
            m(gate{}, l, *gates);
            m(resid_post{}, l, *x);
        }
    }
};

lab::results rows(lab::measure<double> const& m) {
    lab::results out;
    m.finish(out, "softmax", 1, 500);
    return out;
}
double value(lab::results const& r, std::string const& name, lab::index_t layer = lab::whole, lab::index_t head = lab::whole) {
    auto const found = r.find({.policy = "softmax", .metric = name, .seed = 1, .step = 500, .layer = layer, .head = head});
    BOOST_REQUIRE_MESSAGE(found, "no row " << name << " of layer " << layer << ", head " << head);
    return *found;
}
bool has(lab::results const& r, std::string const& name) { return !r.filter({.metric = name}).empty(); }
}  // namespace

BOOST_AUTO_TEST_CASE(heads_layers_and_the_whole_model) {
    small_model const model;
    lab::measure<double> m;
    model.forward(m, 2);
    auto const r = rows(m);
    BOOST_TEST(value(r, "bos_mass", 0, 0) == .7, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "bos_mass", 0, 1) == .2, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "bos_mass", 0) == .45, tt::tolerance(1e-12));  // "L0": mean over heads
    BOOST_TEST(value(r, "bos_mass") == .45, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "first_token_share") == .45, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "bos_mass_max") == .7, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "bos_mass_uniform") == (1 / 2.0 + 1 / 3.0) / 2, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "value_ratio", 1, 0) == .1, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "value_ratio", 1) == .55, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "value_ratio_min") == .1, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "sinks_and_drains", 0) == 1);
    BOOST_TEST(value(r, "sinks_and_drains") == 2);
    BOOST_TEST(value(r, "heads") == 4);
    BOOST_TEST(value(r, "sink_heads") == .5);
    // alpha_0 counts query 0, where all weight is on key 0: head 1 has (1 + .1 + .3) / 3 > .3
    BOOST_TEST(value(r, "sink_rate", 0, 1) == 1);
    BOOST_TEST(value(r, "slot_mass") == .25);
    BOOST_TEST(value(r, "gate", 0, 0) == 2.5 / 3, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "bos_mass_gated", 0, 0) == .5, tt::tolerance(1e-12));  // (.8 * .5 + .6) / 2
    BOOST_TEST(value(r, "sequences") == 1);
    BOOST_TEST(value(r, "length") == 3);
    BOOST_TEST(value(r, "not_finite") == 0);
    BOOST_TEST(!has(r, "bos_mass_trigger"));  // nobody said which queries are triggers
    BOOST_TEST(!has(r, "negative_weights"));
}

BOOST_AUTO_TEST_CASE(weights_with_a_sign_are_counted) {
    small_model x;
    x.p(0, 0, 1, 0) = -.8, x.p(0, 1, 2, 1) = -.3;
    lab::measure<double> m;
    x.forward(m);
    BOOST_TEST(value(rows(m), "negative_weights") == 2 / 12.0, tt::tolerance(1e-12));   // of those that are not 0
}

// Under grouped queries a head of values counts for every query head that reads it.
BOOST_AUTO_TEST_CASE(two_query_heads_on_one_head_of_values) {
    small_model model;
    model.v = lab::tensor<double, 4>({1, 1, 3, 2}, 1);
    model.v(0, 0, 0, 0) = model.v(0, 0, 0, 1) = .1;
    lab::measure<double> m;
    model.forward(m);
    auto const r = rows(m);
    BOOST_TEST(value(r, "value_ratio", 0, 0) == .1, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "value_ratio", 0, 1) == .1, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "sinks_and_drains") == 1);   // of both, head 0 alone is a sink
}

BOOST_AUTO_TEST_CASE(active_and_dormant_queries) {
    small_model const model;
    lab::measure<double> m;
    std::vector<std::uint8_t> const mask = {0, 0, 1};
    m.mark_triggers({mask.data(), {1, 3}});
    model.forward(m);
    auto const r = rows(m);
    BOOST_TEST(value(r, "bos_mass_trigger", 0, 0) == .6);
    BOOST_TEST(value(r, "bos_mass_ordinary", 0, 0) == .8);
    BOOST_TEST(value(r, "bos_mass_ordinary", 0) == .45, tt::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(the_stream) {
    small_model model;
    lab::measure<double> m(6);
    model.forward(m);
    auto r = rows(m);
    double const mean = 23.0 / 12;
    BOOST_TEST(value(r, "resid_pre.max_over_mean", 0) == 12 / mean, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "resid_pre.kurtosis", 0) == 12 * (20736 + 11.0) / (155.0 * 155), tt::tolerance(1e-12));
    BOOST_TEST(value(r, "resid_post.max_over_median", 0) == 12);
    BOOST_TEST(value(r, "resid_post.top1", 0) == 12);
    BOOST_TEST(value(r, "resid_post.top2", 0) == 1);
    BOOST_TEST(value(r, "resid_post.median", 0) == 1);
    BOOST_TEST(value(r, "resid_pre.bos_norm_ratio", 0) == std::sqrt(147.0) / 2, tt::tolerance(1e-12));
    BOOST_TEST(value(r, "resid_post.outliers_custom", 0) == 1);  // 12 > 6 * 23 / 12
    BOOST_TEST(value(r, "resid_post.outliers_50x", 0) == 0);
    BOOST_TEST(value(r, "outlier_factor") == 6);

    // A second sequence with a real peak: counts add, "per sequence, then the mean" means it.
    small_model big;
    big.x = lab::tensor<double, 3>({1, 100, 40}, 1);
    big.x(0, 0, 2) = 1e6;
    lab::measure<double> both(6);
    both(resid_post{}, 0, *std::as_const(big.x));
    model.forward(both);
    r = rows(both);
    BOOST_TEST(value(r, "resid_post.outliers_50x", 0) == 1);
    BOOST_TEST(value(r, "resid_post.outliers_1000x", 0) == 1);
    BOOST_TEST(value(r, "resid_post.outliers_custom", 0) == 2);
    BOOST_TEST(value(r, "resid_post.top1", 0) == (12 + 1e6) / 2);
}

BOOST_AUTO_TEST_CASE(batches_add_up) {
    small_model a, b;
    b.p(0, 0, 2, 0) = .1;
    lab::measure<double> m;
    a.forward(m);
    b.forward(m);
    auto const r = rows(m);
    BOOST_TEST(value(r, "sequences") == 2);
    BOOST_TEST(value(r, "bos_mass", 0, 0) == (.8 + .6 + .8 + .1) / 4, tt::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_is_counted_not_hidden) {
    small_model model;
    model.p(0, 0, 1, 0) = nan_value;
    model.x(0, 1, 1) = nan_value;
    lab::measure<double> m;
    model.forward(m);
    auto const r = rows(m);
    BOOST_TEST(value(r, "not_finite") == 3);  // one weight, the stream in and out
    BOOST_TEST(value(r, "bos_mass", 0, 0) == .6);
    BOOST_TEST(value(r, "resid_post.top1", 0) == 12);

    // All values NaN: whether a head drains is unknown, and unknown is not "no head does".
    small_model broken;
    broken.v.fill(nan_value);
    lab::measure<double> unknown;
    broken.forward(unknown);
    BOOST_TEST(!has(rows(unknown), "sinks_and_drains"));
    BOOST_TEST(!has(rows(unknown), "value_ratio"));
}

BOOST_AUTO_TEST_CASE(one_token_has_no_other_query) {
    small_model model;
    model.p = lab::tensor<double, 4>({1, 2, 1, 1}, 1);
    model.v = lab::tensor<double, 4>({1, 2, 1, 2}, 1);
    model.slots = model.gates = lab::tensor<double, 3>({1, 2, 1}, 1);
    model.x = lab::tensor<double, 3>({1, 1, 4}, 1);
    lab::measure<double> m;
    model.forward(m);
    auto const r = rows(m);
    BOOST_TEST(!has(r, "bos_mass"));
    BOOST_TEST(!has(r, "sinks_and_drains"));
    BOOST_TEST(value(r, "gate") == 1);
}

BOOST_AUTO_TEST_CASE(wrong_use_is_refused) {
    small_model const model;
    lab::measure<double> m;
    lab::results out;
    BOOST_CHECK_THROW(m.finish(out, "softmax", 1, 0), lab::error);
    std::vector<std::uint8_t> const mask(4);
    m.mark_triggers({mask.data(), {1, 4}});
    BOOST_CHECK_THROW(model.forward(m), lab::error);
    lab::measure<double> gate_first;
    BOOST_CHECK_THROW(gate_first(gate{}, 0, *model.gates), lab::error);
    BOOST_CHECK_THROW(lab::measure<double>(0), lab::error);
}

BOOST_AUTO_TEST_SUITE_END()
