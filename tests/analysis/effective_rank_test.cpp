#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/effective_rank.hpp>
#include <attnlab/core/rng.hpp>

// The suite is named apart: attnlab::effective_rank is a function.
BOOST_AUTO_TEST_SUITE(rank_of_outputs)

using namespace attnlab;
namespace tt = boost::test_tools;

namespace {
view<double const, 2> matrix(std::vector<double> const& x, index_t rows) {
    return {x.data(), {rows, static_cast<index_t>(x.size()) / rows}};
}
}

BOOST_AUTO_TEST_CASE(known_singular_values) {
    std::vector<double> identity(25), two = {2, 0, 0, 0, 1, 0}, none(6);
    for (std::size_t i = 0; i < 5; ++i) identity[6 * i] = 1;
    BOOST_TEST(effective_rank(matrix(identity, 5)) == 5, tt::tolerance(1e-12));
    double const a = 2 / 3., b = 1 / 3.;
    BOOST_TEST(effective_rank(matrix(two, 2)) == std::exp(-a * std::log(a) - b * std::log(b)), tt::tolerance(1e-12));
    BOOST_TEST(std::isnan(effective_rank(matrix(none, 2))));
    auto const key = rng::stream(2, "rank");
    std::vector<double> outer, turned;   // rank 1; a rotation of the two values above leaves their rank
    for (std::uint64_t i = 0; i < 40; ++i)
        for (std::uint64_t j = 0; j < 16; ++j) outer.push_back(rng::normal(key, i) * rng::normal(key, 100 + j));
    BOOST_TEST(effective_rank(matrix(outer, 40)) == 1, tt::tolerance(1e-6));
    double const c = std::cos(.7), s = std::sin(.7);
    turned = {2 * c, 2 * s, 0, -s, c, 0};
    BOOST_TEST(effective_rank(matrix(turned, 2)) == effective_rank(matrix(two, 2)), tt::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(eigenvalues_keep_trace_and_squares) {
    auto const key = rng::stream(2, "eigen");
    std::size_t const n = 24;
    std::vector<double> a(n * n);
    double trace = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j <= i; ++j) a[i * n + j] = a[j * n + i] = rng::normal(key, i * n + j);
    for (std::size_t i = 0; i < n; ++i) trace += a[i * n + i];
    for (double x : a) squares += x * x;
    for (double v : detail::symmetric_eigenvalues(a, n)) trace -= v, squares -= v * v;
    BOOST_TEST(std::abs(trace) < 1e-11);
    BOOST_TEST(std::abs(squares) < 1e-10);
}

BOOST_AUTO_TEST_CASE(a_no_op_and_a_broadcast) {
    std::vector<double> const p = {1, 0, 0, 0, .9, .1, 0, 0, .8, .1, .1, 0, .1, .3, .3, .3};
    std::vector<double> const broadcast = {3, 4, 3, 4, 3, 4, 0, 5}, nothing = {0, .01, .01, 0, 0, 0, 0, 5};
    auto const b = output_under_sink(matrix(broadcast, 4), matrix(p, 4)), n = output_under_sink(matrix(nothing, 4), matrix(p, 4));
    BOOST_TEST(b.queries == 3);
    BOOST_TEST(b.rank == 1, tt::tolerance(1e-6));
    BOOST_TEST(b.norm_ratio == 1);
    BOOST_TEST(n.rank == 2, tt::tolerance(1e-12));
    BOOST_TEST(n.norm_ratio < .01);
    auto const never = output_under_sink(matrix(broadcast, 4), matrix(p, 4), 0, 1.);
    BOOST_TEST(never.queries == 0);
    BOOST_TEST(std::isnan(never.rank));
}

BOOST_AUTO_TEST_SUITE_END()
