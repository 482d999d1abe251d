#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/rng.hpp>
#include <attnlab/observe/reduce.hpp>

// The suite is named apart: attnlab::reduce is a class.
BOOST_AUTO_TEST_SUITE(reducers)

using namespace attnlab;

namespace {

auto const near = boost::test_tools::tolerance(1e-12);

moments of(std::vector<double> const& xs) {
    moments m;
    for (double x : xs) m.add(x);
    return m;
}

}  // namespace

BOOST_AUTO_TEST_CASE(moments_are_the_sums_written_out) {
    auto const m = of({1, -2, 3, -4});
    BOOST_TEST(m.count() == 4);
    BOOST_TEST(m.mean() == -0.5, near);
    BOOST_TEST(m.mean_abs() == 2.5, near);
    BOOST_TEST(m.rms() == std::sqrt(30 / 4.0), near);
    BOOST_TEST(m.max_abs() == 4);
    BOOST_TEST(m.standard_deviation() == std::sqrt(29 / 4.0), near);
    BOOST_TEST(m.kurtosis() == (354 / 4.0) / (7.5 * 7.5), near);
    double e2 = 0, e4 = 0;
    for (double x : {1.0, -2.0, 3.0, -4.0}) e2 += std::pow(x + 0.5, 2) / 4, e4 += std::pow(x + 0.5, 4) / 4;
    BOOST_TEST(m.centred_kurtosis() == e4 / (e2 * e2), near);
}

BOOST_AUTO_TEST_CASE(kurtosis_of_known_distributions) {
    moments normal, uniform;
    auto const k = rng::stream(1, "kurtosis");
    for (std::uint64_t i = 0; i < 200000; ++i) normal.add(rng::normal(k, i)), uniform.add(2 + rng::uniform(k, i));
    BOOST_TEST(normal.kurtosis() == 3, boost::test_tools::tolerance(0.03));
    BOOST_TEST(uniform.centred_kurtosis() == 1.8, boost::test_tools::tolerance(0.01));
    BOOST_TEST(of({0, 0, 0, 8}).kurtosis() == 4, near);  // one of n: n
}

BOOST_AUTO_TEST_CASE(merging_is_adding_one_after_the_other) {
    auto a = of({1, -2, 3});
    a.merge(of({-4, 0.5}));
    auto const whole = of({1, -2, 3, -4, 0.5});
    BOOST_TEST(a.count() == whole.count());
    BOOST_TEST(a.mean() == whole.mean(), near);
    BOOST_TEST(a.mean_abs() == whole.mean_abs(), near);
    BOOST_TEST(a.rms() == whole.rms(), near);
    BOOST_TEST(a.max_abs() == whole.max_abs());
    BOOST_TEST(a.kurtosis() == whole.kurtosis(), near);
    BOOST_TEST(a.centred_kurtosis() == whole.centred_kurtosis(), near);
    moments nothing;
    a.merge(nothing);
    BOOST_TEST(a.kurtosis() == whole.kurtosis(), near);
    nothing.merge(whole);
    BOOST_TEST(nothing.kurtosis() == whole.kurtosis(), near);
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_is_counted_and_not_hidden) {
    double const nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    auto m = of({1, nan, -3, inf, -inf});
    BOOST_TEST(m.count() == 2);
    BOOST_TEST(m.not_finite() == 3);
    BOOST_TEST(m.mean() == -1, near);
    BOOST_TEST(m.max_abs() == 3);
    m.merge(of({nan}));
    BOOST_TEST(m.not_finite() == 4);
    BOOST_TEST(m.count() == 2);
}

BOOST_AUTO_TEST_CASE(a_view_is_added_element_by_element) {
    std::vector<float> const x{1, -2, 3, -4};
    moments m;
    m.add(view<float const, 2>(x.data(), {2, 2}));
    BOOST_TEST(m.count() == 4);
    BOOST_TEST(m.kurtosis() == of({1, -2, 3, -4}).kurtosis(), near);
}

BOOST_AUTO_TEST_CASE(nothing_has_no_mean) {
    BOOST_TEST(std::isnan(moments{}.mean()));
    BOOST_TEST(std::isnan(moments{}.kurtosis()));
    BOOST_TEST(std::isnan(running_mean{}.mean()));
    BOOST_TEST(moments{}.max_abs() == 0);
}

BOOST_AUTO_TEST_CASE(a_running_mean_merges) {
    running_mean a, b;
    a.add(1), a.add(2), b.add(6);
    a.merge(b);
    BOOST_TEST(a.mean() == 3);
    BOOST_TEST(a.count() == 3);
}

BOOST_AUTO_TEST_CASE(an_observer_keeps_one_reducer_a_site_and_layer) {
    using observed = attnlab::reduce<moments, site::v, site::logits>;
    std::vector<float> const x{1, -2, std::numeric_limits<float>::quiet_NaN(), 3};
    auto const half = [&](std::ptrdiff_t first) { return view<float const, 1>(x.data() + first, {2}); };
    observed whole, first, second;
    for (std::ptrdiff_t at : {0, 2}) watch(whole, site::v{}, 1, half(at)), watch(at == 0 ? first : second, site::v{}, 1, half(at));
    watch(second, site::v{}, 0, half(0)), watch(whole, site::v{}, 0, half(0));
    watch(whole, site::k{}, 0, half(0));   // nobody asked
    first.merge(second);
    BOOST_TEST(first.all().size() == 2U);
    for (auto const& [name, m] : whole.all()) {
        BOOST_TEST(first.at(name).kurtosis() == m.kurtosis(), near);
        BOOST_TEST(first.at(name).count() == m.count());
        BOOST_TEST(first.at(name).not_finite() == (name == "blocks.1.attn.hook_v" ? 1 : 0));
    }
    BOOST_CHECK_THROW(whole.at("logits"), error);
}

BOOST_AUTO_TEST_SUITE_END()
