#include <bit>
#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/linear.hpp>
#include <attnlab/kernels/ref/linear.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(linear)

namespace {

using namespace attnlab::testing;
using attnlab::cpu, attnlab::ref, attnlab::tensor;

struct size {
    attnlab::index_t n, in, out;
};
size const sizes[]{{1, 1, 1}, {1, 5, 3}, {9, 1, 4}, {9, 4, 1}, {37, 19, 23}, {200, 64, 33}};

BOOST_AUTO_TEST_CASE(ref_is_the_definition) {
    tensor<double, 2> const x({2, 2}, 1.0);
    tensor<double, 2> w({1, 2}), y({2, 1});
    w(0, 0) = 3, w(0, 1) = 4;
    double const bias = 0.5;
    linear_forward(ref{}, x, w, &bias, y);
    BOOST_TEST((y(0, 0) == 7.5 && y(1, 0) == 7.5));
    linear_forward(ref{}, x, w, nullptr, y);
    BOOST_TEST((y(0, 0) == 7 && y(1, 0) == 7));
}

BOOST_AUTO_TEST_CASE(forward_cpu_against_ref) {
    for (auto [n, in, out] : sizes)
        for (bool with_bias : {true, false}) {
            auto const x = random<2>({n, in}, 1), w = random<2>({out, in}, 2);
            auto const bias = random<1>({out}, 3);
            tensor<double, 2> y({n, out}, -7.0);
            tensor<float, 2> yf({n, out}, std::numeric_limits<float>::quiet_NaN());
            auto const bias_f = narrow(bias);
            linear_forward(ref{}, x, w, with_bias ? bias.data() : nullptr, y);
            linear_forward(cpu{}, narrow(x), narrow(w), with_bias ? bias_f.data() : nullptr, yf);
            check_close(yf, y);
        }
}

BOOST_AUTO_TEST_CASE(backward_cpu_against_ref) {
    for (auto [n, in, out] : sizes)
        for (bool optional : {true, false}) {
            auto const dy = random<2>({n, out}, 1), x = random<2>({n, in}, 2), w = random<2>({out, in}, 3);
            auto dw = random<2>({out, in}, 4);  // gradients are added to what is there
            auto dbias = random<1>({out}, 5);
            auto dwf = narrow(dw);
            auto dbias_f = narrow(dbias);
            tensor<double, 2> dx({n, in}, 9.0);
            tensor<float, 2> dxf({n, in}, 9.0f);
            linear_backward(ref{}, dy, x, w, optional ? dx.data() : nullptr, dw, optional ? dbias.data() : nullptr);
            linear_backward(cpu{}, narrow(dy), narrow(x), narrow(w), optional ? dxf.data() : nullptr, dwf,
                            optional ? dbias_f.data() : nullptr);
            check_close(dxf, dx);
            check_close(dwf, dw);
            check_close(dbias_f, dbias);
        }
}

auto const with_bfloat16 = boost::unit_test::precondition([](auto) { return has_bfloat16(cpu{}); });

/// x rounded to bfloat16, and what that is in double.
template <std::size_t N>
struct rounded {
    tensor<attnlab::bfloat16, N> bits;
    tensor<double, N> value;
    explicit rounded(tensor<double, N> const& x) : bits(x.shape()), value(x.shape()) {
        for (attnlab::index_t i = 0; i < x.size(); ++i) {
            bits.data()[i] = attnlab::bfloat16(static_cast<float>(x.data()[i]));
            value.data()[i] = static_cast<float>(bits.data()[i]);
        }
    }
};

BOOST_AUTO_TEST_CASE(bfloat16_multiplies_rounded_factors_with_sums_in_float, *with_bfloat16) {
    for (auto [n, in, out] : {size{1, 1, 1}, size{9, 4, 1}, size{37, 19, 23}, size{200, 64, 33}, size{700, 300, 500}}) {
        auto const x = random<2>({n, in}, 1), dy = random<2>({n, out}, 2);
        rounded const w(random<2>({out, in}, 3)), near_x(x), near_dy(dy);
        auto const bias = random<1>({out}, 4);
        auto dw = random<2>({out, in}, 5);
        auto dbias = random<1>({out}, 6);
        auto const bias_f = narrow(bias);
        auto dwf = narrow(dw);
        auto dbias_f = narrow(dbias);
        for (bool with_bias : {true, false}) {
            tensor<double, 2> y({n, out});
            tensor<float, 2> yf({n, out}, std::numeric_limits<float>::quiet_NaN());
            linear_forward(ref{}, near_x.value, w.value, with_bias ? bias.data() : nullptr, y);
            linear_forward(cpu{}, narrow(x), w.bits, with_bias ? bias_f.data() : nullptr, yf);
            check_close(yf, y);
        }
        tensor<double, 2> dx({n, in}), unused({out, in}, 0.0);
        tensor<float, 2> dxf({n, in}, std::numeric_limits<float>::quiet_NaN());
        linear_backward(ref{}, near_dy.value, near_x.value, w.value, dx.data(), dw, nullptr);
        linear_backward(ref{}, dy, x, w.value, nullptr, unused, dbias.data());   // the bias's gradient is a sum, not a product
        linear_backward(cpu{}, narrow(dy), narrow(x), w.bits, dxf.data(), dwf, dbias_f.data());
        check_close(dxf, dx);
        check_close(dwf, dw);
        check_close(dbias_f, dbias);
    }
}

BOOST_AUTO_TEST_CASE(bfloat16_has_the_same_bits_on_any_threads, *with_bfloat16) {
    auto const dy = narrow(random<2>({8192, 128}, 1)), x = narrow(random<2>({8192, 128}, 2));
    rounded const w(random<2>({128, 128}, 3));
    auto const run = [&](int threads) {
        return with_threads(threads, [&] {
            tensor<float, 2> dw({128, 128}, 0.0f);
            linear_backward(cpu{}, dy, x, w.bits, nullptr, dw, nullptr);
            return dw;
        });
    };
    auto const one = run(1);
    for (int threads : {2, 8}) BOOST_TEST(same_bits(one, run(threads)));
}

BOOST_AUTO_TEST_CASE(bfloat16_rounds_to_nearest) {
    auto const near = [](float x) { return static_cast<float>(attnlab::bfloat16(x)); };
    BOOST_TEST((near(1) == 1 && near(-0.0f) == 0 && near(1 + 0x1p-9f) == 1 && near(1 + 0x1.1p-8f) == 1 + 0x1p-7f));
    BOOST_TEST((near(1 + 0x1p-8f) == 1 && near(1 + 0x3p-8f) == 1 + 0x1p-6f));   // ties to even
    auto const infinity = std::numeric_limits<float>::infinity();
    BOOST_TEST((near(infinity) == infinity && near(-infinity) == -infinity && near(std::numeric_limits<float>::max()) == infinity));
    BOOST_TEST(std::isnan(near(std::numeric_limits<float>::quiet_NaN())));
    BOOST_TEST(std::isnan(near(std::bit_cast<float>(0x7f800001u))));   // whose upper half alone would be infinity
}

BOOST_AUTO_TEST_CASE(ref_backward_against_differences) {
    for (auto const& s : {size{1, 1, 1}, size{5, 4, 3}}) {
        attnlab::index_t const n = s.n, in = s.in, out = s.out;  // a lambda may not capture a structured binding (clang 14)
        auto x = random<2>({n, in}, 1), w = random<2>({out, in}, 2);
        auto bias = random<1>({out}, 3);
        auto const dy = random<2>({n, out}, 4);
        auto const loss = [&] {
            tensor<double, 2> y({n, out});
            linear_forward(ref{}, x, w, bias.data(), y);
            return weighted_sum(y, dy);
        };
        tensor<double, 2> dx({n, in}), dw({out, in}, 0.0);
        tensor<double, 1> dbias({out}, 0.0);
        linear_backward(ref{}, dy, x, w, dx.data(), dw, dbias.data());
        check_gradient(dx, x, loss);
        check_gradient(dw, w, loss);
        check_gradient(dbias, bias, loss);
    }
}

BOOST_AUTO_TEST_CASE(bias_gradient_has_the_same_bits_on_any_threads) {
    auto const dy = narrow(random<2>({4000, 70}, 1)), x = narrow(random<2>({4000, 2}, 2)), w = narrow(random<2>({70, 2}, 3));
    auto const run = [&](int threads) {
        return with_threads(threads, [&] {
            tensor<float, 1> dbias({70}, 0.0f);
            tensor<float, 2> dw({70, 2}, 0.0f);
            linear_backward(cpu{}, dy, x, w, nullptr, dw, dbias.data());
            return dbias;
        });
    };
    auto const one = run(1);
    BOOST_TEST(same_bits(one, run(1)));
    BOOST_TEST(same_bits(one, run(2)));
}

BOOST_AUTO_TEST_CASE(nan_goes_through) {
    tensor<float, 2> x({3, 4}, 1.0f), y({3, 5});
    tensor<float, 2> const w({5, 4}, 1.0f);
    x(1, 2) = std::numeric_limits<float>::quiet_NaN();
    linear_forward(cpu{}, x, w, nullptr, y);
    for (attnlab::index_t i = 0; i < 3; ++i) BOOST_TEST(std::isnan(y(i, 3)) == (i == 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
