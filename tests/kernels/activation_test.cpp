#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/activation.hpp>
#include <attnlab/kernels/ref/activation.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(activation)

namespace {

using namespace attnlab::testing;
using attnlab::cpu, attnlab::gelu_form, attnlab::ref, attnlab::tensor;

constexpr gelu_form forms[]{gelu_form::exact, gelu_form::tanh};

tensor<double, 1> grid(attnlab::index_t n) {
    tensor<double, 1> x({n});
    for (attnlab::index_t i = 0; i < n; ++i)
        x(i) = static_cast<float>(n == 1 ? 0.7 : -9 + 18 * static_cast<double>(i) / static_cast<double>(n - 1));
    return x;
}

BOOST_AUTO_TEST_CASE(ref_is_the_definition) {
    tensor<double, 1> x({3}), y({3});
    x(0) = -1, x(1) = 0, x(2) = 2;
    auto const close = boost::test_tools::tolerance(1e-12);
    gelu_forward(ref{}, gelu_form::exact, x, y, nullptr);
    BOOST_TEST(y(0) == -0.15865525393145705, close);  // torch.nn.functional.gelu in double
    BOOST_TEST(y(1) == 0);
    BOOST_TEST(y(2) == 1.9544997361036416, close);
    gelu_forward(ref{}, gelu_form::tanh, x, y, nullptr);
    BOOST_TEST(y(0) == -0.5 * (1 + std::tanh(-std::sqrt(2 / M_PI) * 1.044715)), close);
    BOOST_TEST(y(2) == 1 + std::tanh(std::sqrt(2 / M_PI) * (2 + 0.044715 * 8)), close);
}

BOOST_AUTO_TEST_CASE(cpu_against_ref) {
    for (auto form : forms)
        for (attnlab::index_t n : {1, 15, 16, 17, 4097, 20011}) {
            auto const x = grid(n);
            tensor<double, 1> y({n}), slope({n});
            gelu_forward(ref{}, form, x, y, slope.data());
            tensor<float, 1> yf({n}), slope_f({n}), alone({n});
            gelu_forward(cpu{}, form, narrow(x), yf, slope_f.data());
            gelu_forward(cpu{}, form, narrow(x), alone, nullptr);
            check_close(yf, y, 5e-7);
            check_close(slope_f, slope, 5e-7);
            BOOST_TEST(same_bits(alone, yf));
        }
}

BOOST_AUTO_TEST_CASE(exact_keeps_its_digits_in_the_lower_tail) {
    // Written as x (1 + erf) / 2 in float, gelu(-5.5) is off by a third and gelu(-6) is 0.
    auto const x = grid(5000);
    tensor<double, 1> y({5000});
    tensor<float, 1> yf({5000});
    gelu_forward(ref{}, gelu_form::exact, x, y, nullptr);
    gelu_forward(cpu{}, gelu_form::exact, narrow(x), yf, nullptr);
    double worst = 0;
    for (attnlab::index_t i = 0; i < 5000; ++i) worst = std::max(worst, std::abs(yf(i) / y(i) - 1));
    BOOST_TEST(worst < 4e-6);
}

BOOST_AUTO_TEST_CASE(far_from_zero) {
    for (auto form : forms) {
        tensor<float, 1> x({4}), y({4}), slope({4});
        x(0) = -1e4f, x(1) = 1e4f, x(2) = std::numeric_limits<float>::quiet_NaN(), x(3) = 0;
        gelu_forward(cpu{}, form, x, y, slope.data());
        BOOST_TEST((y(0) == 0 && y(1) == 1e4f && std::isnan(y(2)) && y(3) == 0));
        BOOST_TEST((slope(0) == 0 && slope(1) == 1 && std::isnan(slope(2)) && slope(3) == 0.5f));
    }
}

BOOST_AUTO_TEST_CASE(ref_slope_against_differences) {
    for (auto form : forms) {
        auto x = grid(101), dx = random<1>({101}, 2);
        auto const dy = dx;
        tensor<double, 1> y({101}), slope({101});
        gelu_forward(ref{}, form, x, y, slope.data());
        multiply_by(ref{}, slope, dx);
        check_gradient(dx, x, [&] {
            gelu_forward(ref{}, form, x, y, nullptr);
            return weighted_sum(y, dy);
        });
    }
}

template <class Device, class T>
void check_in_place(gelu_form form, tensor<T, 1> const& x) {
    tensor<T, 1> y(x.shape()), slope(x.shape());
    gelu_forward(Device{}, form, x, y, slope.data());
    auto in_place = x;
    gelu_forward(Device{}, form, in_place, in_place, nullptr);
    BOOST_TEST(same_bits(in_place, y));
    in_place = x;
    gelu_forward(Device{}, form, in_place, y, in_place.data());
    BOOST_TEST(same_bits(in_place, slope));
}

BOOST_AUTO_TEST_CASE(silu_and_relu) {
    tensor<double, 1> x({3}), y({3});
    x(0) = -1, x(1) = 0, x(2) = 2;
    double slope[3];
    silu_forward(ref{}, x, y, slope);
    BOOST_TEST(y(0) == -0.2689414213699951, boost::test_tools::tolerance(1e-12));
    BOOST_TEST((y(1) == 0 && std::abs(y(2) - 1.7615941559557649) < 1e-12));
    for (int i = 0; i < 3; ++i) {   // against differences
        double const h = 1e-5;
        tensor<double, 1> ends({2}), at({2});
        ends(0) = x(i) - h, ends(1) = x(i) + h;
        silu_forward(ref{}, ends, at, nullptr);
        BOOST_TEST(std::abs((at(1) - at(0)) / (2 * h) - slope[i]) < 1e-9);
    }
    relu_forward(ref{}, x, y, slope);
    BOOST_TEST((y(0) == 0 && y(1) == 0 && y(2) == 2 && slope[0] == 0 && slope[1] == 0 && slope[2] == 1));
    for (attnlab::index_t n : {1, 15, 16, 17, 4097}) {
        auto const wide = grid(n);
        tensor<double, 1> expected({n}), slopes({n});
        tensor<float, 1> found({n}), found_slopes({n});
        silu_forward(ref{}, wide, expected, slopes.data());
        silu_forward(cpu{}, narrow(wide), found, found_slopes.data());
        check_close(found, expected, 5e-7);
        check_close(found_slopes, slopes, 1e-6);
        relu_forward(ref{}, wide, expected, slopes.data());
        relu_forward(cpu{}, narrow(wide), found, found_slopes.data());
        check_close(found, expected, 0);
        check_close(found_slopes, slopes, 0);
    }
    tensor<float, 1> nan({17}, std::numeric_limits<float>::quiet_NaN());
    relu_forward(cpu{}, nan, nan, nullptr);
    BOOST_TEST(std::isnan(nan(16)));
}

BOOST_AUTO_TEST_CASE(in_place) {
    for (auto form : forms) {
        check_in_place<ref>(form, grid(77));
        check_in_place<cpu>(form, narrow(grid(77)));
    }
}

BOOST_AUTO_TEST_CASE(same_bits_on_any_threads) {
    auto const x = narrow(random<1>({200003}, 4));
    auto const run = [&](int threads) {
        return with_threads(threads, [&] {
            tensor<float, 1> y(x.shape());
            gelu_forward(cpu{}, gelu_form::exact, x, y, nullptr);
            return y;
        });
    };
    BOOST_TEST(same_bits(run(1), run(2)));
}

BOOST_AUTO_TEST_CASE(add_adds) {
    for (attnlab::index_t n : {1, 17, 100000}) {
        auto const x = random<1>({n}, 5);
        auto y = random<1>({n}, 6);
        auto const first = y(0);
        auto yf = narrow(y);
        add(ref{}, x, y);
        add(cpu{}, narrow(x), yf);
        BOOST_TEST(y(0) == first + x(0));
        check_close(yf, y, 1e-7);
    }
}

BOOST_AUTO_TEST_CASE(multiply_by_multiplies) {
    for (attnlab::index_t n : {1, 17, 100000}) {
        auto const x = random<1>({n}, 5);
        auto y = random<1>({n}, 6);
        auto const first = y(0);
        auto yf = narrow(y);
        multiply_by(ref{}, x, y);
        multiply_by(cpu{}, narrow(x), yf);
        BOOST_TEST(y(0) == first * x(0));
        check_close(yf, y, 2e-7);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
