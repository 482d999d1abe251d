#include <limits>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/norm.hpp>
#include <attnlab/kernels/ref/norm.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(norm)

namespace {

using namespace attnlab::testing;
using attnlab::cpu, attnlab::ref, attnlab::tensor;

constexpr double eps = 1e-5;

BOOST_AUTO_TEST_CASE(ref_is_the_definition) {
    tensor<double, 2> x({1, 2}), y({1, 2});
    x(0, 0) = 1, x(0, 1) = 5;  // mean 3, variance 4
    double const weight[]{1, 2}, bias[]{0.5, 0};
    double mean = 0, rstd = 0;
    layer_norm_forward(ref{}, x, weight, bias, 0.0, y, &mean, &rstd);
    BOOST_TEST((mean == 3 && rstd == 0.5 && y(0, 0) == -0.5 && y(0, 1) == 2));
    layer_norm_forward(ref{}, x, weight, nullptr, 0.0, x, &mean, &rstd);  // in place
    BOOST_TEST((x(0, 0) == -1 && x(0, 1) == 2));
}

BOOST_AUTO_TEST_CASE(forward_cpu_against_ref) {
    for (attnlab::index_t c : widths)
        for (attnlab::index_t n : {1, 13})
            for (bool with_bias : {true, false}) {
                auto const x = random<2>({n, c}, 1);
                auto const weight = random<1>({c}, 2), bias = random<1>({c}, 3);
                tensor<double, 2> y({n, c});
                tensor<double, 1> mean({n}), rstd({n});
                layer_norm_forward(ref{}, x, weight.data(), with_bias ? bias.data() : nullptr, eps, y, mean.data(), rstd.data());
                auto const weight_f = narrow(weight), bias_f = narrow(bias);
                tensor<float, 2> yf({n, c});
                tensor<float, 1> mean_f({n}), rstd_f({n});
                layer_norm_forward(cpu{}, narrow(x), weight_f.data(), with_bias ? bias_f.data() : nullptr,
                                   static_cast<float>(eps), yf, mean_f.data(), rstd_f.data());
                check_close(yf, y);
                check_close(mean_f, mean);
                check_close(rstd_f, rstd);
            }
}

BOOST_AUTO_TEST_CASE(a_massive_element_and_a_far_mean) {
    auto x = random<2>({3, 70}, 1);
    x(0, 5) = 3000;                                             // an activation outlier
    for (attnlab::index_t j = 0; j < 70; ++j) x(1, j) += 4096.0;  // variance by E[x^2] - E[x]^2 would be lost
    auto const rounded = narrow(x);
    for (attnlab::index_t i = 0; i < x.size(); ++i) x.data()[i] = rounded.data()[i];
    tensor<double, 1> const weight({70}, 1.0);
    tensor<double, 2> y({3, 70});
    tensor<double, 1> mean({3}), rstd({3});
    layer_norm_forward(ref{}, x, weight.data(), nullptr, eps, y, mean.data(), rstd.data());
    auto const weight_f = narrow(weight);
    tensor<float, 2> yf({3, 70});
    tensor<float, 1> mean_f({3}), rstd_f({3});
    layer_norm_forward(cpu{}, rounded, weight_f.data(), nullptr, static_cast<float>(eps), yf, mean_f.data(), rstd_f.data());
    // The mean itself rounds to 4096 * 2^-24 = 2.4e-4 of a deviation, and no more than a few times that may be lost.
    check_close(yf, y, 1e-3);
    check_close(rstd_f, rstd);
}

BOOST_AUTO_TEST_CASE(backward_cpu_against_ref) {
    for (attnlab::index_t c : widths)
        for (attnlab::index_t n : {1, 140})
            for (bool with_bias : {true, false}) {
                auto const x = random<2>({n, c}, 1), dy = random<2>({n, c}, 2);
                auto const weight = random<1>({c}, 3);
                auto dx = random<2>({n, c}, 4);  // all three are added to
                auto dweight = random<1>({c}, 5), dbias = random<1>({c}, 6);
                auto dxf = narrow(dx);
                auto dweight_f = narrow(dweight), dbias_f = narrow(dbias);
                tensor<double, 2> y({n, c});
                tensor<double, 1> mean({n}), rstd({n});
                // A row of one element has variance 0, where a small eps would make rounding the result.
                layer_norm_forward(ref{}, x, weight.data(), nullptr, 0.1, y, mean.data(), rstd.data());
                layer_norm_backward(ref{}, dy, x, weight.data(), mean.data(), rstd.data(), dx, dweight.data(),
                                    with_bias ? dbias.data() : nullptr);
                auto const weight_f = narrow(weight), mean_f = narrow(mean), rstd_f = narrow(rstd);
                layer_norm_backward(cpu{}, narrow(dy), narrow(x), weight_f.data(), mean_f.data(), rstd_f.data(), dxf,
                                    dweight_f.data(), with_bias ? dbias_f.data() : nullptr);
                check_close(dxf, dx);
                check_close(dweight_f, dweight);
                check_close(dbias_f, dbias);
            }
}

BOOST_AUTO_TEST_CASE(ref_backward_against_differences) {
    for (attnlab::index_t c : {2, 7}) {
        attnlab::index_t const n = 3;
        auto x = random<2>({n, c}, 1);
        auto weight = random<1>({c}, 2), bias = random<1>({c}, 3);
        auto const dy = random<2>({n, c}, 4);
        tensor<double, 1> mean({n}), rstd({n});
        auto const loss = [&] {
            tensor<double, 2> y({n, c});
            tensor<double, 1> m({n}), r({n});
            layer_norm_forward(ref{}, x, weight.data(), bias.data(), 0.1, y, m.data(), r.data());
            return weighted_sum(y, dy);
        };
        tensor<double, 2> y({n, c}), dx({n, c}, 0.0);
        tensor<double, 1> dweight({c}, 0.0), dbias({c}, 0.0);
        layer_norm_forward(ref{}, x, weight.data(), bias.data(), 0.1, y, mean.data(), rstd.data());
        layer_norm_backward(ref{}, dy, x, weight.data(), mean.data(), rstd.data(), dx, dweight.data(), dbias.data());
        check_gradient(dx, x, loss);
        check_gradient(dweight, weight, loss);
        check_gradient(dbias, bias, loss);
    }
}

BOOST_AUTO_TEST_CASE(same_bits_on_any_threads) {
    attnlab::index_t const n = 3000, c = 50;
    auto const x = narrow(random<2>({n, c}, 1)), dy = narrow(random<2>({n, c}, 2));
    auto const weight = narrow(random<1>({c}, 3));
    auto const run = [&](int threads) {
        return with_threads(threads, [&] {
            tensor<float, 2> all({n + 2, c}, 0.0f), y({n, c});  // dx, then dweight and dbias
            tensor<float, 1> mean({n}), rstd({n});
            layer_norm_forward(cpu{}, x, weight.data(), nullptr, static_cast<float>(eps), y, mean.data(), rstd.data());
            layer_norm_backward(cpu{}, dy, x, weight.data(), mean.data(), rstd.data(),
                                attnlab::view<float, 2>(all.data(), {n, c}), all.data() + n * c, all.data() + (n + 1) * c);
            return all;
        });
    };
    auto const one = run(1);
    BOOST_TEST(same_bits(one, run(1)));
    BOOST_TEST(same_bits(one, run(2)));
}

BOOST_AUTO_TEST_CASE(nan_stays_in_its_row) {
    tensor<float, 2> x({3, 20}, 1.0f);
    x(1, 19) = std::numeric_limits<float>::quiet_NaN();
    tensor<float, 1> const weight({20}, 1.0f);
    tensor<float, 1> mean({3}), rstd({3});
    layer_norm_forward(cpu{}, x, weight.data(), nullptr, static_cast<float>(eps), x, mean.data(), rstd.data());
    for (attnlab::index_t i = 0; i < 3; ++i)
        for (attnlab::index_t j = 0; j < 20; ++j) BOOST_TEST(std::isnan(x(i, j)) == (i == 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
