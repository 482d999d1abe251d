#include <boost/test/unit_test.hpp>

#include <attnlab/core/gradient_check.hpp>
#include <attnlab/kernels/cpu/rms_norm.hpp>
#include <attnlab/kernels/ref/rms_norm.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(rms_norm)

namespace {

using namespace attnlab::testing;
using attnlab::cpu, attnlab::index_t, attnlab::ref, attnlab::tensor;

BOOST_AUTO_TEST_CASE(ref_is_the_definition) {
    tensor<double, 2> x({1, 2});
    x(0, 0) = 1, x(0, 1) = 7;   // mean square 25
    double const weight[]{1, 2};
    tensor<double, 2> y({1, 2});
    rms_norm_forward(ref{}, x, weight, 0.0, 0.0, y);
    BOOST_TEST((y(0, 0) == 0.2 && y(0, 1) == 2.8));
    rms_norm_forward(ref{}, x, weight, 1.0, 0.0, y);   // Gemma's 1 + w
    BOOST_TEST((y(0, 0) == 0.4 && std::abs(y(0, 1) - 4.2) < 1e-15));
    rms_norm_forward(ref{}, x, nullptr, 0.0, 0.0, x);   // no weight, in place
    BOOST_TEST((x(0, 0) == 0.2 && x(0, 1) == 1.4));
}

BOOST_AUTO_TEST_CASE(cpu_against_ref) {
    for (index_t c : widths)
        for (index_t n : {1, 13})
            for (double const offset : {0.0, 1.0}) {
                auto x = random<2>({n, c}, 1);
                x(0, c / 2) = 3000;   // an activation outlier
                auto const weight = random<1>({c}, 2);
                tensor<double, 2> y({n, c});
                rms_norm_forward(ref{}, x, weight.data(), offset, 1e-6, y);
                auto const weight_f = narrow(weight);
                auto yf = narrow(x);
                rms_norm_forward(cpu{}, yf, weight_f.data(), static_cast<float>(offset), 1e-6f, yf);
                check_close(yf, y);
            }
}

BOOST_AUTO_TEST_CASE(gradients) {
    index_t const n = 3, c = 5;
    auto x = random<2>({n, c}, 1), dy = random<2>({n, c}, 2);
    auto weight = random<1>({c}, 3);
    for (double const offset : {0.0, 1.0}) {
        tensor<double, 2> dx({n, c}, 0.25), y({n, c});   // added to what is there
        tensor<double, 1> dweight({c}, 0.5);
        rms_norm_backward(ref{}, dy, x, weight.data(), offset, 1e-2, dx, dweight.data());
        for (double& g : *dx) g -= 0.25;
        for (double& g : *dweight) g -= 0.5;
        auto const report = attnlab::check_gradient(
            [&] {
                rms_norm_forward(ref{}, x, weight.data(), offset, 1e-2, y);
                double sum = 0;
                for (index_t i = 0; i < n * c; ++i) sum += y.data()[i] * dy.data()[i];
                return sum;
            },
            {{"x", *x, *dx}, {"weight", *weight, *dweight}});
        BOOST_TEST_CONTEXT(report.line()) BOOST_TEST(report.worst < 1e-7);
    }
}

BOOST_AUTO_TEST_CASE(cpu_gradients_against_ref) {
    for (index_t c : widths)
        for (index_t n : {1, 300}) {
            auto const x = random<2>({n, c}, 1), dy = random<2>({n, c}, 2);
            auto const weight = random<1>({c}, 3);
            tensor<double, 2> dx({n, c}, 0.5);
            tensor<double, 1> dweight({c}, 0.5);
            auto dx_f = narrow(dx);
            auto dweight_f = narrow(dweight);
            rms_norm_backward(ref{}, dy, x, weight.data(), 1.0, 1e-6, dx, dweight.data());
            auto const x_f = narrow(x), dy_f = narrow(dy);
            auto const weight_f = narrow(weight);
            rms_norm_backward(cpu{}, dy_f, x_f, weight_f.data(), 1.0f, 1e-6f, dx_f, dweight_f.data());
            check_close(dx_f, dx);
            check_close(dweight_f, dweight);
        }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
