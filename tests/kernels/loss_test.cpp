#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/error.hpp>
#include <attnlab/kernels/cpu/loss.hpp>
#include <attnlab/kernels/ref/loss.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(loss)

namespace {

using namespace attnlab::testing;
using attnlab::cpu, attnlab::ref, attnlab::tensor;

/// Every third target is left out.
std::vector<std::int32_t> targets_of(attnlab::index_t n, attnlab::index_t v) {
    std::vector<std::int32_t> out;
    for (attnlab::index_t i = 0; i < n; ++i) out.push_back(i % 3 == 2 ? -1 : static_cast<std::int32_t>((7 * i + 3) % v));
    return out;
}

BOOST_AUTO_TEST_CASE(ref_is_the_definition) {
    tensor<double, 2> logits({2, 3}, 0.0);
    logits(1, 0) = std::log(2.0);  // probabilities 1/2, 1/4, 1/4
    std::int32_t const targets[]{1, 0};
    tensor<double, 1> losses({2});
    cross_entropy(ref{}, *logits, targets, 2.0, true, losses.data());
    auto const close = boost::test_tools::tolerance(1e-14);
    BOOST_TEST(losses(0) == std::log(3.0), close);
    BOOST_TEST(losses(1) == std::log(2.0), close);
    BOOST_TEST(logits(0, 1) == 2 * (1. / 3 - 1), close);
    BOOST_TEST(logits(1, 0) == 2 * (1. / 2 - 1), close);
    BOOST_TEST(logits(1, 2) == 2 * 1. / 4, close);
}

BOOST_AUTO_TEST_CASE(cpu_against_ref) {
    for (attnlab::index_t v : {1, 2, 7, 16, 17, 64, 65, 1023, 1025, 5000})
        for (attnlab::index_t n : {1, 10}) {
            auto logits = random<2>({n, v}, 1, 3);
            auto logits_f = narrow(logits);
            auto const before = logits_f;
            auto const targets = targets_of(n, v);
            tensor<double, 1> losses({n}), losses_f({n});
            cross_entropy(cpu{}, logits_f, targets.data(), 0.25f, false, losses_f.data());
            BOOST_TEST(same_bits(logits_f, before));  // without backward, the logits stay
            auto const forward_only = losses_f;
            cross_entropy(ref{}, logits, targets.data(), 0.25, true, losses.data());
            cross_entropy(cpu{}, logits_f, targets.data(), 0.25f, true, losses_f.data());
            BOOST_TEST(same_bits(losses_f, forward_only));
            check_close(losses_f, losses, 1e-6);
            check_close(logits_f, logits, 2e-6);
        }
}

BOOST_AUTO_TEST_CASE(ref_gradient_against_differences) {
    auto logits = random<2>({5, 7}, 2);
    auto const targets = targets_of(5, 7);
    auto gradient = logits;
    tensor<double, 1> losses({5});
    cross_entropy(ref{}, *gradient, targets.data(), 0.5, true, losses.data());
    check_gradient(gradient, logits, [&] {
        auto copy = logits;
        cross_entropy(ref{}, *copy, targets.data(), 0.5, false, losses.data());
        double sum = 0;
        for (double l : *losses) sum += 0.5 * l;
        return sum;
    });
}

template <class Device>
void extremes() {
    using scalar = typename Device::scalar;
    // A sure and right row, a sure and wrong one, all far below zero, one impossible class.
    tensor<scalar, 2> logits({4, 20}, scalar{0});
    logits(0, 3) = 10000;
    logits(1, 4) = 10000;
    for (attnlab::index_t j = 0; j < 20; ++j) logits(2, j) = -10000;
    logits(3, 0) = -std::numeric_limits<scalar>::infinity();
    std::int32_t const targets[]{3, 3, 3, 3};
    tensor<double, 1> losses({4});
    cross_entropy(Device{}, *logits, targets, scalar{1}, true, losses.data());
    BOOST_TEST(losses(0) == 0);
    BOOST_TEST(losses(1) == 10000);
    BOOST_TEST(losses(2) == std::log(20.0), boost::test_tools::tolerance(1e-7));
    BOOST_TEST(losses(3) == std::log(19.0), boost::test_tools::tolerance(1e-7));
    BOOST_TEST((logits(0, 3) == 0 && logits(0, 4) == 0));
    BOOST_TEST((logits(1, 3) == -1 && logits(1, 4) == 1 && logits(1, 5) == 0));
    BOOST_TEST(logits(3, 0) == 0);
}

template <class Device>
void ignores_and_refuses() {
    using scalar = typename Device::scalar;
    auto const nan = std::numeric_limits<scalar>::quiet_NaN();
    tensor<scalar, 2> logits({2, 9}, nan);
    tensor<double, 1> losses({2}, 5.0);
    std::int32_t const none[]{-1, -1};
    cross_entropy(Device{}, *logits, none, scalar{1}, false, losses.data());
    BOOST_TEST((losses(0) == 0 && losses(1) == 0));
    cross_entropy(Device{}, *logits, none, scalar{1}, true, losses.data());
    for (scalar v : *logits) BOOST_TEST(v == 0);

    for (std::int32_t wrong : {9, -2}) {
        std::int32_t const targets[]{0, wrong};
        auto const expected = attnlab::text("cross_entropy: target ", wrong, " at position 1: expected -1 to 8");
        BOOST_CHECK_EXCEPTION(cross_entropy(Device{}, *logits, targets, scalar{1}, true, losses.data()), attnlab::error,
                              [&](auto const& e) { return e.what() == expected; });
    }
}

template <class Device>
void passes_nan() {
    using scalar = typename Device::scalar;
    for (attnlab::index_t at : {0, 5, 15, 16, 20}) {
        tensor<scalar, 2> logits({2, 21}, scalar{1});
        logits(1, at) = std::numeric_limits<scalar>::quiet_NaN();
        std::int32_t const targets[]{2, 2};
        tensor<double, 1> losses({2});
        cross_entropy(Device{}, *logits, targets, scalar{1}, true, losses.data());
        BOOST_TEST((!std::isnan(losses(0)) && std::isnan(losses(1))));
        for (attnlab::index_t j = 0; j < 21; ++j) BOOST_TEST((!std::isnan(logits(0, j)) && std::isnan(logits(1, j))));
    }
}

BOOST_AUTO_TEST_CASE(extremes_are_stable) {
    extremes<cpu>();
    extremes<ref>();
}

BOOST_AUTO_TEST_CASE(no_target_no_loss_and_no_other_target) {
    ignores_and_refuses<cpu>();
    ignores_and_refuses<ref>();
}

BOOST_AUTO_TEST_CASE(nan_in_nan_out) {
    passes_nan<cpu>();
    passes_nan<ref>();
}

BOOST_AUTO_TEST_CASE(same_bits_on_any_threads) {
    auto const logits = narrow(random<2>({100, 1500}, 3));
    auto const targets = targets_of(100, 1500);
    auto const run = [&](int threads) {
        return with_threads(threads, [&] {
            auto copy = logits;
            tensor<double, 1> losses({100});
            cross_entropy(cpu{}, copy, targets.data(), 1.0f, true, losses.data());
            return copy;
        });
    };
    BOOST_TEST(same_bits(run(1), run(2)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
