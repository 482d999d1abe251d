#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/estimate.hpp>

BOOST_AUTO_TEST_SUITE(estimate)

BOOST_AUTO_TEST_CASE(mean_and_interval_of_three) {
    auto const e = attnlab::estimate_of({1, 2, 3});
    BOOST_TEST(e.count == 3u);
    BOOST_TEST(e.mean == 2);
    BOOST_TEST(e.median == 2);
    BOOST_TEST(e.min == 1);
    BOOST_TEST(e.max == 3);
    BOOST_TEST(e.half_width == 4.3027 / std::sqrt(3.0), boost::test_tools::tolerance(1e-6));  // t(2) * s / sqrt(n), s = 1
    BOOST_TEST(e.standard_error == 1 / std::sqrt(3.0), boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(one_value_has_no_interval) {
    auto const e = attnlab::estimate_of({5});
    BOOST_TEST(e.mean == 5);
    BOOST_TEST(!e.has_interval());
    BOOST_TEST(std::isnan(e.half_width));
}

BOOST_AUTO_TEST_CASE(a_loss_that_is_no_number_makes_the_mean_none) {
    BOOST_TEST(attnlab::mean_loss({1, 3}).mean == 2);
    auto const e = attnlab::mean_loss({1, std::numeric_limits<double>::infinity()});
    BOOST_TEST((std::isnan(e.mean) && std::isnan(e.standard_error)));
}

BOOST_AUTO_TEST_CASE(nothing_is_not_zero) {
    auto const e = attnlab::estimate_of({});
    BOOST_TEST(e.empty());
    BOOST_TEST(std::isnan(e.mean));
    BOOST_TEST(std::isnan(e.median));
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_is_counted_and_left_out) {
    auto const e = attnlab::estimate_of({1, std::numeric_limits<double>::quiet_NaN(), 4, std::numeric_limits<double>::infinity()});
    BOOST_TEST(e.count == 2u);
    BOOST_TEST(e.missing == 2u);
    BOOST_TEST(e.mean == 2.5);
    BOOST_TEST(e.median == 2.5);
    BOOST_TEST(!e.empty());
}

// scipy.stats.t.ppf(0.975, df)
BOOST_AUTO_TEST_CASE(quantiles_of_student) {
    BOOST_TEST(attnlab::student_t(1) == 12.7062, boost::test_tools::tolerance(1e-4));
    BOOST_TEST(attnlab::student_t(10) == 2.228139, boost::test_tools::tolerance(1e-4));
    BOOST_TEST(attnlab::student_t(11) == 2.200985, boost::test_tools::tolerance(1e-4));
    BOOST_TEST(attnlab::student_t(30) == 2.042272, boost::test_tools::tolerance(1e-4));
    BOOST_TEST(attnlab::student_t(1000) == 1.962339, boost::test_tools::tolerance(1e-4));
    BOOST_TEST(std::isnan(attnlab::student_t(0)));
}

BOOST_AUTO_TEST_SUITE_END()
