#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/selection.hpp>
#include <attnlab/core/rng.hpp>

BOOST_AUTO_TEST_SUITE(selection)

using namespace attnlab;
namespace tt = boost::test_tools;

BOOST_AUTO_TEST_CASE(medians) {
    std::vector<double> x = {5, 1, 4, 2}, nothing;
    BOOST_TEST(lower_median(x) == 2);
    x.push_back(7);
    BOOST_TEST(lower_median(x) == 4);
    BOOST_TEST(select(x, 4) == 7);
    BOOST_TEST(std::isnan(select(x, 5)));
    BOOST_TEST(std::isnan(lower_median(nothing)));
}

BOOST_AUTO_TEST_CASE(medians_of_magnitudes_are_exact) {
    auto const key = rng::stream(4, "magnitudes");
    for (std::size_t n : {1u, 2u, 3u, 4u, 1000u, 4097u})
        for (double spread : {0., 1., 20.}) {   // with ties, and over many binary exponents
            std::vector<float> x;
            for (std::uint64_t i = 0; i < n; ++i) x.push_back(static_cast<float>(std::round(8 * rng::normal(key, 2 * i)) * std::exp(spread * rng::normal(key, 2 * i + 1))));
            std::vector<float> magnitudes;
            for (float v : x)
                if (std::isfinite(v)) magnitudes.push_back(std::abs(v));
            BOOST_TEST(lower_median_magnitude(std::span<float const>(x)) == lower_median(magnitudes));
            x.insert(x.begin(), {std::nanf(""), -INFINITY, INFINITY});   // not looked at
            BOOST_TEST(lower_median_magnitude(std::span<float const>(x)) == lower_median(magnitudes));
            std::vector<double> const wide(x.begin(), x.end());
            BOOST_TEST(lower_median_magnitude(std::span<double const>(wide)) == lower_median(magnitudes));
        }
    BOOST_TEST(std::isnan(lower_median_magnitude(std::span<float const>())));
}

BOOST_AUTO_TEST_CASE(the_largest_of_any_split) {
    auto const key = rng::stream(3, "top");
    for (std::size_t n : {0u, 1u, 2u, 3u, 50u}) {
        std::vector<double> x;
        for (std::uint64_t i = 0; i < n; ++i) x.push_back(std::round(4 * rng::normal(key, i)));   // with ties
        auto sorted = x;
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        sorted.resize(std::min<std::size_t>(3, n));
        for (std::size_t cut = 0; cut <= n; ++cut) {
            top_k a(3), b(3);
            for (std::size_t i = 0; i < n; ++i) (i < cut ? a : b).add(x[i]);
            a.merge(b);
            BOOST_TEST(a.values() == sorted, tt::per_element());
        }
    }
}

BOOST_AUTO_TEST_CASE(quantiles_of_magnitudes_to_the_stated_error) {
    auto const key = rng::stream(4, "histogram");
    magnitude_histogram whole, a, b;
    std::vector<double> x;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        double const v = i % 100 == 0 ? 0 : std::exp(4 * rng::normal(key, i));   // over ten decades
        x.push_back(v);
        whole.add(v), (i % 3 ? a : b).add(v);
    }
    a.merge(b);
    std::sort(x.begin(), x.end());
    for (std::size_t k : {0u, 49u, 50u, 51u, 2499u, 4998u, 4999u}) {
        BOOST_TEST(std::abs(whole.select(static_cast<std::int64_t>(k)) - x[k]) <= magnitude_histogram::relative_error * x[k]);
        BOOST_TEST(a.select(static_cast<std::int64_t>(k)) == whole.select(static_cast<std::int64_t>(k)));
    }
    BOOST_TEST(std::abs(whole.median() - x[2499]) <= magnitude_histogram::relative_error * x[2499]);
    BOOST_TEST(std::isnan(whole.select(5000)));
    BOOST_TEST(std::isnan(magnitude_histogram().median()));
}

BOOST_AUTO_TEST_SUITE_END()
