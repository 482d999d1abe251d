#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/activation.hpp>
#include <attnlab/kernels/ref/activation.hpp>

#include "support.hpp"

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

BOOST_AUTO_TEST_SUITE(activation)

BOOST_AUTO_TEST_CASE(ref_is_the_definition) {
    tensor<double, 1> x({3}), y({3});
    x(0) = -1, x(1) = 0, x(2) = 2;
    auto const close = boost::test_tools::tolerance(1e-12);
    gelu_forward(ref{}, gelu_form::exact, x, y);
    BOOST_TEST(y(0) == -0.15865525393145705, close);  // torch.nn.functional.gelu in double
    BOOST_TEST(y(1) == 0);
    BOOST_TEST(y(2) == 1.9544997361036416, close);
    gelu_forward(ref{}, gelu_form::tanh, x, y);
    BOOST_TEST(y(0) == -0.5 * (1 + std::tanh(-std::sqrt(2 / M_PI) * 1.044715)), close);
    BOOST_TEST(y(2) == 1 + std::tanh(std::sqrt(2 / M_PI) * (2 + 0.044715 * 8)), close);
}

BOOST_AUTO_TEST_CASE(cpu_against_ref) {
    for (auto form : forms)
        for (attnlab::index_t n : {1, 15, 16, 17, 4097, 20011}) {
            auto const x = grid(n), dy = random<1>({n}, 1);
            tensor<double, 1> y({n}), dx({n});
            gelu_forward(ref{}, form, x, y);
            gelu_backward(ref{}, form, dy, x, dx);
            tensor<float, 1> yf({n}), dxf({n});
            gelu_forward(cpu{}, form, narrow(x), yf);
            gelu_backward(cpu{}, form, narrow(dy), narrow(x), dxf);
            check_close(yf, y, 5e-7);
            check_close(dxf, dx, 5e-7);
        }
}

BOOST_AUTO_TEST_CASE(exact_keeps_its_digits_in_the_lower_tail) {
    // Written as x (1 + erf) / 2 in float, gelu(-5.5) is off by a third and gelu(-6) is 0.
    auto const x = grid(5000);
    tensor<double, 1> y({5000});
    tensor<float, 1> yf({5000});
    gelu_forward(ref{}, gelu_form::exact, x, y);
    gelu_forward(cpu{}, gelu_form::exact, narrow(x), yf);
    double worst = 0;
    for (attnlab::index_t i = 0; i < 5000; ++i) worst = std::max(worst, std::abs(yf(i) / y(i) - 1));
    BOOST_TEST(worst < 4e-6);
}

BOOST_AUTO_TEST_CASE(far_from_zero) {
    for (auto form : forms) {
        tensor<float, 1> x({4}), y({4}), dx({4});
        tensor<float, 1> const one({4}, 1.0f);
        x(0) = -1e4f, x(1) = 1e4f, x(2) = std::numeric_limits<float>::quiet_NaN(), x(3) = 0;
        gelu_forward(cpu{}, form, x, y);
        gelu_backward(cpu{}, form, one, x, dx);
        BOOST_TEST((y(0) == 0 && y(1) == 1e4f && std::isnan(y(2)) && y(3) == 0));
        BOOST_TEST((dx(0) == 0 && dx(1) == 1 && std::isnan(dx(2)) && dx(3) == 0.5f));
    }
}

BOOST_AUTO_TEST_CASE(ref_backward_against_differences) {
    for (auto form : forms) {
        auto x = grid(101);
        auto const dy = random<1>({101}, 2);
        tensor<double, 1> dx({101});
        gelu_backward(ref{}, form, dy, x, dx);
        check_gradient(dx, x, [&] {
            tensor<double, 1> y({101});
            gelu_forward(ref{}, form, x, y);
            return weighted_sum(y, dy);
        });
    }
}

BOOST_AUTO_TEST_CASE(in_place) {
    for (auto form : forms) {
        auto const x = grid(77), dy = random<1>({77}, 3);
        auto const xf = narrow(x), dyf = narrow(dy);
        tensor<float, 1> expected({77}), expected_gradient({77});
        gelu_forward(cpu{}, form, xf, expected);
        gelu_backward(cpu{}, form, dyf, xf, expected_gradient);
        auto y = xf, dx = dyf;
        gelu_forward(cpu{}, form, y, y);
        gelu_backward(cpu{}, form, dx, xf, dx);
        BOOST_TEST(same_bits(y, expected));
        BOOST_TEST(same_bits(dx, expected_gradient));
        auto dx_ref = dy;
        tensor<double, 1> apart({77});
        gelu_backward(ref{}, form, dy, x, apart);
        gelu_backward(ref{}, form, dx_ref, x, dx_ref);
        BOOST_TEST(same_bits(dx_ref, apart));
    }
}

BOOST_AUTO_TEST_CASE(same_bits_on_any_threads) {
    auto const x = narrow(random<1>({200003}, 4));
    auto const run = [&](int threads) {
        return with_threads(threads, [&] {
            tensor<float, 1> y(x.shape());
            gelu_forward(cpu{}, gelu_form::exact, x, y);
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

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
