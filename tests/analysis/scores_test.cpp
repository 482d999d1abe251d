#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/scores.hpp>

using namespace attnlab;
namespace tt = boost::test_tools;

BOOST_AUTO_TEST_SUITE(scores)

namespace {
view<double const, 2> matrix(std::vector<double> const& x, attnlab::index_t rows) {
    return {x.data(), {rows, static_cast<attnlab::index_t>(x.size()) / rows}};
}
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
}  // namespace

BOOST_AUTO_TEST_CASE(magnitudes_by_hand) {
    std::vector<double> const x = {1, -8, 3, 2, -4, 2};
    auto const m = magnitudes_of<double>(x);
    BOOST_TEST(m.top1 == 8);
    BOOST_TEST(m.top2 == 4);
    BOOST_TEST(m.top3 == 3);
    BOOST_TEST(m.median == 2);  // 1 2 2 3 4 8, the lower middle
    BOOST_TEST(m.max_over_mean() == 8 / (20.0 / 6));
    BOOST_TEST(m.max_over_median() == 4);
    BOOST_TEST(m.inf_norm() == 8);
    BOOST_TEST(m.crest() == 8 / std::sqrt(98.0 / 6), tt::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(magnitudes_count_what_is_not_finite) {
    std::vector<double> const x = {1, nan_value, 3, std::numeric_limits<double>::infinity()};
    auto const m = magnitudes_of<double>(x);
    BOOST_TEST(m.top1 == 3);
    BOOST_TEST(m.top2 == 1);
    BOOST_TEST(std::isnan(m.top3));
    BOOST_TEST(m.power.not_finite() == 2);
    BOOST_TEST(std::isnan(magnitudes_of<double>(std::span<double const>{}).median));
}

BOOST_AUTO_TEST_CASE(an_outlier_token_passes_the_factor_and_not_less) {
    std::vector<double> x(100, 1);
    x[37] = -900;  // mean |x| = 9.99: 90 times the mean
    auto const h = matrix(x, 10);
    BOOST_TEST(outlier_tokens(h, 50) == 1);
    BOOST_TEST(outlier_tokens(h, 90) == 1);
    BOOST_TEST(outlier_tokens(h, 91) == 0);
    BOOST_TEST(outlier_tokens(h, 1000) == 0);
    x[38] = 900;  // the same token: still one
    BOOST_TEST(outlier_tokens(h, 40) == 1);
    x[5] = nan_value;
    BOOST_TEST(outlier_tokens(h, 40) == 1);
}

BOOST_AUTO_TEST_CASE(first_row_against_the_rest) {
    std::vector<double> const x = {3, 4, 0, 1, 0, 3};
    BOOST_TEST(residual_peak(matrix(x, 3)) == 2.5);  // 5 / mean(1, 3)
    BOOST_TEST(value_ratio(matrix(x, 3)) == 2.5);
    BOOST_TEST(std::isnan(residual_peak(matrix(x, 1))));
    row_against_rest pooled;  // norms pooled before the division, not ratios averaged
    std::vector<double> const y = {1, 0, 0, 2};
    pooled.add(matrix(x, 3));
    pooled.add(matrix(y, 2));
    BOOST_TEST(pooled.ratio() == 3 / 2.0);
    std::vector<double> const z = {nan_value, 0, 0, 2};
    pooled.add(matrix(z, 2));
    BOOST_TEST(pooled.ratio() == 3 / 2.0);
    BOOST_TEST(pooled.not_finite() == 1);
}

BOOST_AUTO_TEST_CASE(kurtosis_of_channels_and_tokens) {
    std::vector<double> const even = {1, -1, -1, 1};
    BOOST_TEST(neuron_kurtosis(matrix(even, 2)) == 1);
    std::vector<double> const one = {2, 0, 0, 0, -2, 0, 0, 0};  // one channel of four carries all: C
    BOOST_TEST(neuron_kurtosis(matrix(one, 2)) == 4);
    std::vector<double> const tokens = {1, -1, 1, -1, 0, 0, 0, 4};
    auto const k = token_kurtosis(matrix(tokens, 2));
    BOOST_TEST(k.first == 1, tt::tolerance(1e-12));
    BOOST_TEST(k.rest == 21 / 9.0, tt::tolerance(1e-12));  // one of four, centred: 5.25 m^4 / ... = (81 + 3) / 4 / 9
}

BOOST_AUTO_TEST_CASE(channels_in_any_split) {
    std::vector<double> const x = {1, 2, nan_value, -4, 5, 6};
    square_sums whole, a, b;
    whole.add(matrix(x, 3));
    a.add(matrix(x, 3).reshaped<2>({3, 2}));
    BOOST_TEST(a.norm(0) == std::sqrt(26), tt::tolerance(1e-12));
    BOOST_TEST(a.rms(0) == std::sqrt(13), tt::tolerance(1e-12));   // of two finite values
    a = {};
    a.add(view<double const, 2>(x.data(), {1, 2})), b.add(view<double const, 2>(x.data() + 2, {2, 2}));
    b.merge(a);
    BOOST_TEST(b.norm(1) == whole.norm(1), tt::tolerance(1e-12));
    BOOST_TEST(b.kurtosis() == whole.kurtosis(), tt::tolerance(1e-12));
    BOOST_TEST(b.not_finite == 1);
    BOOST_TEST(b.values == 5);
}

BOOST_AUTO_TEST_CASE(a_sink_that_is_not_the_first_row) {
    std::vector<double> const x = {3, 4, 0, 10, 0, 5};
    BOOST_TEST(residual_peak(matrix(x, 3), 1) == 2);
    row_against_rest a(1), b(1);
    a.add(matrix(x, 3)), b.merge(a);
    BOOST_TEST(b.ratio() == 2);
}

BOOST_AUTO_TEST_SUITE_END()
