#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/lane_square.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

BOOST_AUTO_TEST_SUITE(simd)

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();

attnlab::lanes counting(float first) {
    std::vector<float> v;
    for (attnlab::index_t i = 0; i < attnlab::register_width; ++i) v.push_back(first + static_cast<float>(i));
    return attnlab::load(v.data());
}

BOOST_AUTO_TEST_CASE(fma_rounds_once) {
    // (1 + e)(1 - e) - 1 = -e^2 only when the product keeps all its digits.
    float const e = 0x1p-12f;
    float volatile above = 1 + e, below = 1 - e;
    float const found = attnlab::fma(float(above), float(below), -1.0f).get(0);
#if defined(__FMA__) && defined(__OPTIMIZE__)
    BOOST_TEST(found == -e * e);
#else
    BOOST_TEST((found == -e * e || found == 0));  // compilers fuse when they optimize
#endif
}

BOOST_AUTO_TEST_CASE(folds) {
    auto const w = static_cast<float>(attnlab::register_width);
    BOOST_TEST(attnlab::hsum(counting(1)) == w * (w + 1) / 2);
    for (attnlab::index_t at = 0; at < attnlab::register_width; ++at) {
        std::vector<float> v(attnlab::lanes::size, -3.0f);
        v[static_cast<std::size_t>(at)] = -2.0f;
        BOOST_TEST(attnlab::hmax(attnlab::load(v.data())) == -2.0f);
    }
    BOOST_TEST(std::isnan(attnlab::hsum(counting(nan))));
}

BOOST_AUTO_TEST_CASE(a_square_is_transposed_and_each_register_folded) {
    using attnlab::lanes;
    constexpr auto n = lanes::size;
    attnlab::lane_square x;
    for (std::size_t i = 0; i < n; ++i) x[i] = counting(static_cast<float>(100 * i));
    auto y = x;
    attnlab::transpose(y);
    auto const sums = attnlab::fold_each(x, [](lanes a, lanes b) { return a + b; });
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) BOOST_TEST(y[i].get(j) == x[j].get(i));
        BOOST_TEST(sums.get(i) == attnlab::hsum(x[i]));
    }
}

BOOST_AUTO_TEST_CASE(max_and_min_take_the_second_beside_nan) {
    BOOST_TEST(attnlab::max(nan, 2.0f).get(0) == 2.0f);
    BOOST_TEST(std::isnan(attnlab::max(2.0f, nan).get(0)));
    BOOST_TEST(attnlab::min(1.0f, 2.0f).get(0) == 1.0f);
    BOOST_TEST(attnlab::max(1.0f, 2.0f).get(0) == 2.0f);
}

BOOST_AUTO_TEST_CASE(exp_to_rounding) {
    double worst = 0;
    for (float x = -87.3f; x < 88.3f; x += 0.0037f)
        worst = std::max(worst, std::abs(attnlab::exp(attnlab::lanes(x)).get(0) / std::exp(static_cast<double>(x)) - 1));
    BOOST_TEST(worst < 1.2e-7);
}

BOOST_AUTO_TEST_CASE(log1p_to_two_units) {
    double worst = 0;
    for (float x = 1e-30f; x <= 1; x = x < 1e-3f ? 1.7f * x : x + 0.0007f) {
        double const found = attnlab::log1p_of_unit(attnlab::lanes(x)).get(1), expected = std::log1p(static_cast<double>(x));
        worst = std::max(worst, std::abs(found / expected - 1));
    }
    BOOST_TEST(worst < 1.8e-7);
    BOOST_TEST(attnlab::log1p_of_unit(attnlab::lanes(0.0f)).get(0) == 0);
    BOOST_TEST(std::isnan(attnlab::log1p_of_unit(attnlab::lanes(nan)).get(0)));
}

BOOST_AUTO_TEST_CASE(exp_at_the_ends) {
    auto const at = [](float x) { return attnlab::exp(attnlab::lanes(x)).get(attnlab::lanes::size - 1); };
    BOOST_TEST(at(0) == 1);
    BOOST_TEST(at(-infinity) == 0);
    BOOST_TEST(at(-1e30f) == 0);
    BOOST_TEST(at(-100) == 0);
    BOOST_TEST(at(89) == infinity);
    BOOST_TEST(at(1e30f) == infinity);
    BOOST_TEST(at(infinity) == infinity);
    BOOST_TEST(std::isnan(at(nan)));
}

BOOST_AUTO_TEST_CASE(tails_touch_only_their_elements) {
    for (attnlab::index_t n = 0; n < 3 * attnlab::register_width; ++n) {
        auto const size = static_cast<std::size_t>(n);
        std::vector<float> x(size, 2.0f), y(size + 1, 0.0f);
        y[size] = 42;
        attnlab::lanes sum = 0.0f, filled = 0.0f;
        attnlab::each_lanes(n, [&](attnlab::index_t i, auto part) {
            attnlab::lanes const v = attnlab::load(x.data() + i, part);
            sum += v;
            filled += attnlab::load(x.data() + i, part, 1.0f);
            attnlab::store(y.data() + i, v + 1.0f, part);
        });
        BOOST_TEST(attnlab::hsum(sum) == 2.0f * static_cast<float>(n));
        auto const padding = (attnlab::register_width - n % attnlab::register_width) % attnlab::register_width;
        BOOST_TEST(attnlab::hsum(filled) == static_cast<float>(2 * n + padding));
        for (std::size_t i = 0; i < size; ++i) BOOST_TEST(y[i] == 3.0f);
        BOOST_TEST(y[size] == 42.0f);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
