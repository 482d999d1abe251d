#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/hidden_scores.hpp>
#include <attnlab/analysis/stream_scores.hpp>
#include <attnlab/core/rng.hpp>

// The suite is named apart: attnlab::hidden_scores is a class.
BOOST_AUTO_TEST_SUITE(scores_of_hidden_states)

using namespace attnlab;
namespace tt = boost::test_tools;

namespace {
constexpr index_t B = 4, T = 5, C = 6;
std::vector<float> numbers() {
    auto const key = rng::stream(9, "hidden");
    std::vector<float> x;
    for (std::uint64_t i = 0; i < B * T * C; ++i) x.push_back(static_cast<float>(std::pow(rng::normal(key, i), 3)));
    x[17] = std::numeric_limits<float>::infinity(), x[40] = std::numeric_limits<float>::quiet_NaN();
    return x;
}
}  // namespace

BOOST_AUTO_TEST_CASE(by_hand) {
    std::vector<double> const x = {3, 0, -4, 0, 1, 1, -1, 1, 0, 2, 0, 0};   // three tokens
    hidden_scores s;
    s.add(view<double const, 2>(x.data(), {3, 4}));
    BOOST_TEST(s.inf_norm() == 4);
    BOOST_TEST(s.top(2) == 2);
    BOOST_TEST(s.median() == 1);
    BOOST_TEST(s.crest() == 4 / std::sqrt(33 / 12.), tt::tolerance(1e-12));
    BOOST_TEST(s.max_over_mean() == 4 / (13 / 12.), tt::tolerance(1e-12));
    BOOST_TEST(s.residual_peak() == 2.5);
    // Token 0 and token 2 have a median of 0: no ratio. Token 1: 1.
    BOOST_TEST(s.token_max_over_median() == 1);
    double const r2[] = {10 / 3., 5 / 3., 17 / 3., 1 / 3.};
    BOOST_TEST(s.neuron_kurtosis() == 4 * (r2[0] * r2[0] + r2[1] * r2[1] + r2[2] * r2[2] + r2[3] * r2[3]) / (11. * 11),
               tt::tolerance(1e-12));
    BOOST_TEST(s.token_kurtosis().rest == (7 / 3. + 7 / 3.) / 2, tt::tolerance(1e-12));   // one of four stands out in both
    BOOST_CHECK_THROW(s.top(3), error);
}

BOOST_AUTO_TEST_CASE(any_split_of_the_sequences_gives_the_same) {
    auto const x = numbers();
    auto const part = [&](index_t from, index_t to) {
        hidden_scores s;
        s.add(view<float const, 3>(x.data() + from * T * C, {to - from, T, C}));
        return s;
    };
    auto const whole = part(0, B);
    BOOST_TEST(whole.not_finite() == 2);
    BOOST_TEST(whole.sequences() == B);
    for (index_t cut = 0; cut <= B; ++cut) {
        auto s = part(cut, B);
        s.merge(part(0, cut));
        auto const near = tt::tolerance(1e-12);
        BOOST_TEST(s.element_kurtosis() == whole.element_kurtosis(), near);
        BOOST_TEST(s.neuron_kurtosis() == whole.neuron_kurtosis(), near);
        BOOST_TEST(s.token_kurtosis().first == whole.token_kurtosis().first, near);
        BOOST_TEST(s.token_kurtosis().rest == whole.token_kurtosis().rest, near);
        BOOST_TEST(s.inf_norm() == whole.inf_norm(), near);
        BOOST_TEST(s.crest() == whole.crest(), near);
        BOOST_TEST(s.max_over_median() == whole.max_over_median(), near);
        BOOST_TEST(s.token_max_over_median() == whole.token_max_over_median(), near);
        BOOST_TEST(s.token_max_over_median(over_tokens::max) == whole.token_max_over_median(over_tokens::max));
        BOOST_TEST(s.top(1) == whole.top(1), near);
        BOOST_TEST(s.median() == whole.median(), near);
        BOOST_TEST(s.residual_peak() == whole.residual_peak(), near);
    }
    BOOST_CHECK_THROW(hidden_scores(1).merge(hidden_scores(0)), error);
}

BOOST_AUTO_TEST_CASE(the_stream_of_a_training_run_merges_too) {
    auto const x = numbers();
    stream_scores whole(5), a(5), b(5);
    whole.add(view<float const, 3>(x.data(), {B, T, C}));
    a.add(view<float const, 3>(x.data(), {1, T, C}));
    b.add(view<float const, 3>(x.data() + T * C, {B - 1, T, C}));
    b.merge(a);
    std::vector<double> expected, found;
    whole.each([&](char const*, double v) { expected.push_back(v); });
    b.each([&](char const*, double v) { found.push_back(v); });
    BOOST_TEST(found.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) BOOST_TEST(found[i] == expected[i], tt::tolerance(1e-12));
    BOOST_TEST(b.not_finite() == 2);
}

BOOST_AUTO_TEST_SUITE_END()
