#pragma once
#include <cmath>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/core/gradient_check.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/kernels/ref/kernels.hpp>
#include <attnlab/models/gpt.hpp>

/// \file
/// What must hold of a tiny GPT under every policy.

namespace attnlab::testing {

inline gpt_config tiny(index_t layers, bool tied, bool bias) {
    gpt_config c;
    c.n_layer = layers, c.n_head = 2, c.n_embd = 6, c.block_size = 5, c.vocab_size = 7;
    c.tied = tied, c.bias = bias;
    c.init_std = 0.4;
    return c;
}

/// Tokens and targets (2, T), one target ignored.
struct tiny_batch {
    tensor<std::int32_t, 2> x, y;
    explicit tiny_batch(index_t T, index_t vocabulary = 7) : x({2, T}), y({2, T}) {
        for (index_t i = 0; i < 2 * T; ++i) {
            x.data()[i] = static_cast<std::int32_t>((3 * i + i * i) % vocabulary);
            y.data()[i] = static_cast<std::int32_t>((5 * i + 1) % vocabulary);
        }
        y(1, 0) = -1;
    }
};

/// First values, and something on top of those that begin as 0 or 1, so that no gradient vanishes by symmetry. Floats exactly.
template <class S>
void fill(parameter_list<S>& parameters, std::uint64_t seed) {
    parameters.initialize(seed);
    for (auto const& p : parameters)
        for (std::size_t i = 0; i < p->value.size(); ++i)
            p->value[i] = static_cast<S>(
                static_cast<float>(static_cast<double>(p->value[i]) + 0.2 * rng::normal(rng::stream(seed + 1, p->name), i)));
}

template <class Policy>
void check_model_gradients(gpt_config const& c) {
    gpt<Policy, ref> model(c);
    auto& parameters = model.parameters();
    fill(parameters, 3);
    tiny_batch const batch(4);
    parameters.zero_gradients();
    // Two halves: gradients are scaled, and added up.
    double const value = model.loss_and_gradient(batch.x, batch.y, 0.5);
    model.loss_and_gradient(batch.x, batch.y, 0.5);
    BOOST_TEST(value == model.loss(batch.x, batch.y), boost::test_tools::tolerance(1e-14));
    std::vector<checked_array> arrays;
    for (auto const& p : parameters) arrays.push_back({p->name, p->value, p->gradient});
    auto const report = check_gradient([&] { return model.loss(batch.x, batch.y); }, arrays);
    BOOST_TEST_CONTEXT(report.line()) BOOST_TEST(report.worst < 1e-6);
    // A policy's parameters that get no gradient would pass as well.
    for (auto const& p : parameters) {
        double largest = 0;
        for (double g : p->gradient) largest = std::max(largest, std::abs(g));
        BOOST_TEST_CONTEXT(p->name) BOOST_TEST(largest > 1e-5);
    }
}

template <class Policy>
void check_model_on_cpu(gpt_config const& c) {
    gpt<Policy, ref> exact(c);
    gpt<Policy, cpu> fast(c);
    fill(exact.parameters(), 5);
    fill(fast.parameters(), 5);
    tiny_batch const batch(5);
    exact.parameters().zero_gradients();
    fast.parameters().zero_gradients();
    BOOST_TEST(fast.loss_and_gradient(batch.x, batch.y) == exact.loss_and_gradient(batch.x, batch.y),
               boost::test_tools::tolerance(1e-5));
    auto const check = [](std::string const& what, auto const& found, auto const& expected) {
        double squares = 0, worst = 0;
        for (double e : expected) squares += e * e;
        double const typical = std::sqrt(squares / static_cast<double>(expected.size()));
        auto f = found.begin();
        for (double e : expected)
            worst = std::max(worst, std::abs(static_cast<double>(*f++) - e) / (std::abs(e) + typical + 1e-3));
        BOOST_TEST_CONTEXT(what) BOOST_TEST(worst < 1e-4);
    };
    check("logits", fast.logits(batch.x), exact.logits(batch.x));
    for (auto const& p : exact.parameters()) check(p->name, fast.parameters().at(p->name).gradient, p->gradient);
}

}  // namespace attnlab::testing
