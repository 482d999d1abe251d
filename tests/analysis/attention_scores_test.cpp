#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/attention_scores.hpp>
#include <attnlab/core/rng.hpp>

// The suite is named apart: attnlab::attention_scores is a class.
BOOST_AUTO_TEST_SUITE(scores_of_attention)

using namespace attnlab;
namespace tt = boost::test_tools;

namespace {
view<double const, 2> matrix(std::vector<double> const& x, index_t rows) {
    return {x.data(), {rows, static_cast<index_t>(x.size()) / rows}};
}
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
std::vector<double> const example = {1, 0, 0, .5, .5, 0, .1, .3, .6};
}  // namespace

BOOST_AUTO_TEST_CASE(weight_on_a_key) {
    auto const p = matrix(example, 3);
    BOOST_TEST(bos_mass(p) == .3, tt::tolerance(1e-12));
    BOOST_TEST(sink_score(p) == 1.6 / 3, tt::tolerance(1e-12));
    BOOST_TEST(sink_score(p, 1) == .4, tt::tolerance(1e-12));
    std::vector<double> const one = {1};
    BOOST_TEST(std::isnan(bos_mass(matrix(one, 1))));
}

BOOST_AUTO_TEST_CASE(uniform_attention) {  // .10 at T = 32 and .059 at T = 64, as the task's page says
    BOOST_TEST(uniform_bos_mass(2) == .5);
    BOOST_TEST(uniform_bos_mass(32) == .0987, tt::tolerance(1e-3));
    BOOST_TEST(uniform_bos_mass(64) == .0594, tt::tolerance(1e-3));
}

BOOST_AUTO_TEST_CASE(column_sums_of_queries_that_come_in_pieces) {
    auto const p = matrix(example, 3);
    attention_column_sums whole;
    whole.add(p);
    BOOST_TEST(whole.sum(0) == 1.6, tt::tolerance(1e-12));
    BOOST_TEST(whole.sum(1) == .8, tt::tolerance(1e-12));
    BOOST_TEST(whole.share(1) == .4, tt::tolerance(1e-12));
    BOOST_TEST(whole.share(2) == .6, tt::tolerance(1e-12));
    BOOST_TEST(whole.values == 6);   // above the diagonal nobody looks
    for (index_t cut = 0; cut <= 3; ++cut) {
        attention_column_sums a, b;
        a.add(view<double const, 2>(p.data(), {cut, 3}));
        b.add(view<double const, 2>(p.data() + 3 * cut, {3 - cut, 3}), false, cut);
        b.merge(a);
        BOOST_TEST(b.length() == 3);
        for (index_t j = 0; j < 3; ++j) BOOST_TEST(b.sum(j) == whole.sum(j), tt::tolerance(1e-12));
    }
    std::vector<double> const sums = {1.6, .8, nan_value};
    attention_column_sums const given(view<double const, 1>(sums.data(), {3}));
    BOOST_TEST(given.share(0) == whole.share(0), tt::tolerance(1e-12));
    BOOST_TEST(given.not_finite == 1);
}

BOOST_AUTO_TEST_CASE(shares_of_weights_with_a_sign) {
    std::vector<double> const p = {-2, 0, -1, 3};
    attention_column_sums s;
    s.add(matrix(p, 2), true);
    BOOST_TEST(s.sum(0) == 1.25);
    BOOST_TEST(s.sum(1) == .75);
}

BOOST_AUTO_TEST_CASE(logits) {
    std::vector<double> const s = {2, 99, 99, 5, -1, 99, 4, nan_value, -inf};
    BOOST_TEST(max_logit(matrix(s, 3)) == 5);
    std::vector<double> const masked = {-inf};
    BOOST_TEST(std::isnan(max_logit(matrix(masked, 1))));
    std::vector<double> const gap = {7, 0, 0, 5, 1, 0, 4, 1, 2};
    BOOST_TEST(sink_logit_gap(matrix(gap, 3)) == (4 + 2.5) / 2);
    BOOST_TEST(sink_logit_gap(matrix(gap, 3), 1) == ((1 - 5) + (1 - 3)) / 2.0);
    std::vector<std::uint8_t> const triggers = {0, 1, 0};
    BOOST_TEST(sink_logit_gap(matrix(gap, 3), 0, triggers) == 2.5);
    BOOST_CHECK_THROW(sink_logit_gap(matrix(gap, 3), 0, std::span(triggers).first(2)), error);
}

BOOST_AUTO_TEST_CASE(heads_pooled) {
    // Head 0 looks at key 0, head 1 spreads evenly.
    std::vector<double> const p = {1, 0, 0, .9, .1, 0, .8, .1, .1, 1, 0, 0, .5, .5, 0, 1 / 3., 1 / 3., 1 / 3.};
    view<double const, 3> const heads(p.data(), {2, 3, 3});
    attention_scores s(0, .3, .7);
    s.add(heads);
    BOOST_TEST(s.sink_rate() == 100);   // even attention over three keys passes .3 too: (1 + 1/2 + 1/3) / 3
    BOOST_TEST(s.dormant_share() == .5);
    BOOST_TEST(s.first_token_share() == (.9 + .8 + .5 + 1 / 3.) / 4, tt::tolerance(1e-12));
    double const e1 = -.9 * std::log(.9) - .1 * std::log(.1), e2 = -.8 * std::log(.8) - .2 * std::log(.1);
    BOOST_TEST(s.entropy() == (e1 + e2 + std::log(2) + std::log(3)) / 6, tt::tolerance(1e-12));
    BOOST_TEST(s.entropy_share() == (e1 / std::log(2) + e2 / std::log(3) + 2) / 4, tt::tolerance(1e-12));

    attention_scores a(0, .3, .7), b(0, .3, .7);
    a.add(view<double const, 3>(p.data(), {1, 3, 3})), b.add(view<double const, 3>(p.data() + 9, {1, 3, 3}));
    b.merge(a);
    BOOST_TEST(b.entropy() == s.entropy(), tt::tolerance(1e-12));
    BOOST_TEST(b.dormant_share() == s.dormant_share());
    BOOST_TEST(b.values == 12);
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_is_counted_and_left_out) {
    auto p = example;
    p[3] = nan_value;
    attention_scores s;
    s.add(view<double const, 3>(p.data(), {1, 3, 3}));
    BOOST_TEST(s.not_finite == 1);
    BOOST_TEST(s.first_token_share() == .1, tt::tolerance(1e-12));
    BOOST_TEST(std::isfinite(s.entropy()));
}

BOOST_AUTO_TEST_SUITE_END()
