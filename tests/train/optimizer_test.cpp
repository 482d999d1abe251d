#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <omp.h>

#include <attnlab/core/rng.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/train/optimizer.hpp>

#include "bigram.hpp"
#include "fixtures.hpp"
#include "io/folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(optimizer)

namespace {

/// One decayed parameter and one that is not, `n` values each, all at `value`.
template <class T>
struct pair_of_parameters {
    parameter_list<T> list;
    parameter<T>*decayed, *free;
    explicit pair_of_parameters(attnlab::index_t n, double value = 1) {
        decayed = list.add("h.0.attn.k_bias", {n}, constant(value), true);
        free = list.add("h.0.ln.weight", {n}, constant(value), false);
        list.allocate();
        list.initialize(1);
    }
    void gradient(double g) {
        for (auto* p : {decayed, free})
            for (T& x : p->gradient) x = static_cast<T>(g);
    }
};

bool near(double a, double b, double tolerance = 1e-12) { return std::abs(a - b) <= tolerance; }

/// Adam as its paper writes it (Kingma, Ba 2015, algorithm 1), with the decay taken first.
struct adam_by_hand {
    double p = 1, m = 0, v = 0;
    int t = 0;
    void step(double g, double rate, double decay, double b1, double b2) {
        ++t;
        p -= rate * decay * p;
        m = b1 * m + (1 - b1) * g;
        v = b2 * v + (1 - b2) * g * g;
        double const m_hat = m / (1 - std::pow(b1, t)), v_hat = v / (1 - std::pow(b2, t));
        p -= rate * m_hat / (std::sqrt(v_hat) + 1e-8);
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(adamw_two_steps_worked_out) {
    pair_of_parameters<double> two(1);
    attnlab::optimizer<double> opt(two.list, {.weight_decay = 0.1});  // betas 0.9, 0.95
    two.gradient(0.5);
    opt.step(0.1);
    // m = 0.05, v = 0.0125; m/0.1 = 0.5, v/0.05 = 0.25: a step of 0.1 * 0.5 / 0.5
    BOOST_TEST(near(two.decayed->value[0], 1 - 0.01 - 0.1, 1e-8));
    BOOST_TEST(near(two.free->value[0], 1 - 0.1, 1e-8));
    two.gradient(-0.2);
    opt.step(0.1);
    // m = 0.025, v = 0.013875; m/0.19 = 0.131578947, v/0.0975 = 0.142307692, its root 0.377236918
    BOOST_TEST(near(two.decayed->value[0], 0.89 * 0.99 - 0.1 * 0.131578947 / 0.377236918, 1e-8));
    BOOST_TEST(near(two.free->value[0], 0.9 - 0.1 * 0.131578947 / 0.377236918, 1e-8));
    BOOST_TEST(opt.steps() == 2);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(adamw_follows_its_formula, T, decltype(std::tuple<float, double>{})) {
    attnlab::index_t const n = 37;  // registers and a tail
    pair_of_parameters<T> two(n);
    attnlab::optimizer<T> opt(two.list, {.weight_decay = 0.3, .beta1 = 0.8, .beta2 = 0.99});
    std::vector<adam_by_hand> decayed(n), free(n);
    double const tolerance = std::is_same_v<T, float> ? 1e-6 : 1e-14;
    for (int step = 0; step < 20; ++step) {
        double const rate = 0.01 * (step + 1), scale = 0.5;
        for (attnlab::index_t i = 0; i < n; ++i) {
            auto const g = static_cast<T>(rng::normal(7, static_cast<std::uint64_t>(step * n + i)));
            auto const at = static_cast<std::size_t>(i);
            two.decayed->gradient[at] = two.free->gradient[at] = g;
            decayed[at].step(scale * static_cast<double>(g), rate, 0.3, 0.8, 0.99);
            free[at].step(scale * static_cast<double>(g), rate, 0, 0.8, 0.99);
        }
        opt.step(rate, scale);
    }
    for (std::size_t i = 0; i < decayed.size(); ++i) {
        BOOST_TEST(near(static_cast<double>(two.decayed->value[i]), decayed[i].p, tolerance));
        BOOST_TEST(near(static_cast<double>(two.free->value[i]), free[i].p, tolerance));
    }
}

BOOST_AUTO_TEST_CASE(momentum_three_steps_worked_out) {
    pair_of_parameters<double> two(19);
    attnlab::optimizer<double> opt(two.list, {.optim_name = "gdm", .weight_decay = 0.1, .beta1 = 0.9});
    two.gradient(0.5);
    opt.step(0.1);  // buffers: 0.5 + 0.1 * 1 = 0.6; 0.5
    BOOST_TEST(near(two.decayed->value[18], 0.94));
    BOOST_TEST(near(two.free->value[18], 0.95));
    two.gradient(-0.2);
    opt.step(0.1);  // 0.9 * 0.6 + (-0.2 + 0.094) = 0.434; 0.45 - 0.2 = 0.25
    BOOST_TEST(near(two.decayed->value[0], 0.94 - 0.0434));
    BOOST_TEST(near(two.free->value[0], 0.95 - 0.025));
    two.gradient(1);
    opt.step(0.2, 0.25);  // 0.9 * 0.434 + 0.25 + 0.08966 = 0.73026; 0.225 + 0.25 = 0.475
    BOOST_TEST(near(two.decayed->value[5], 0.8966 - 0.2 * 0.73026));
    BOOST_TEST(near(two.free->value[5], 0.925 - 0.2 * 0.475));
}

BOOST_AUTO_TEST_CASE(a_rate_of_zero_moves_nothing_but_the_moments) {
    pair_of_parameters<float> two(5);
    attnlab::optimizer<float> opt(two.list, {});
    two.gradient(2);
    opt.step(0);
    BOOST_TEST(two.decayed->value[3] == 1.0f);
    BOOST_TEST(std::abs(opt.state()[0].values[3] - 0.2f) < 1e-7f);
}

BOOST_AUTO_TEST_CASE(some_parameters_have_a_rate_of_their_own) {
    pair_of_parameters<double> two(4);
    attnlab::optimizer<double> opt(two.list, {.optim_name = "gdm", .weight_decay = 0, .rate_factors = {{"k_bias", 10}}});
    two.gradient(1);
    opt.step(0.01);
    BOOST_TEST(near(two.decayed->value[0], 0.9));
    BOOST_TEST(near(two.free->value[0], 0.99));

    auto const wrong = [&](std::string const& name) {
        return error_of([&] { attnlab::optimizer<double>(two.list, {.rate_factors = {{name, 10}}}); });
    };
    BOOST_TEST(wrong("bias") == "rate_factors: 'bias': no parameter has this name or ending");  // half a name is no ending
    BOOST_TEST(names(wrong("v_bias"), "v_bias"));
}

BOOST_AUTO_TEST_CASE(state_is_named_after_the_parameters) {
    bigram<float> model;
    attnlab::optimizer<float> adam(model.parameters(), {});
    auto const state = adam.state();
    BOOST_REQUIRE(state.size() == 4u);
    BOOST_TEST(state[0].name == "optimizer.m.table");
    BOOST_TEST(state[1].name == "optimizer.m.out.bias");
    BOOST_TEST(state[2].name == "optimizer.v.table");
    BOOST_TEST((state[2].shape == std::vector<attnlab::index_t>{7, 7}));
    BOOST_TEST(state[2].values.size() == 49u);
    attnlab::optimizer<float> gdm(model.parameters(), {.optim_name = "gdm"});
    BOOST_REQUIRE(gdm.state().size() == 2u);
    BOOST_TEST(gdm.state()[0].name == "optimizer.momentum.table");
}

BOOST_AUTO_TEST_CASE(wrong_settings_are_named) {
    pair_of_parameters<float> two(1);
    auto const line = [&](optimizer_settings s) {
        BOOST_CHECK_THROW(attnlab::optimizer<float>(two.list, s), usage_error);
        return error_of([&] { attnlab::optimizer<float>(two.list, s); });
    };
    BOOST_TEST(line({.optim_name = "sgd"}) == "optim_name: 'sgd': expected adam or gdm");
    BOOST_TEST(line({.beta1 = 1}) == "beta1: '1': expected a number from 0 to below 1");
    BOOST_TEST(line({.beta2 = -0.5}) == "beta2: '-0.5': expected a number from 0 to below 1");
    BOOST_TEST(line({.weight_decay = -1}) == "weight_decay: '-1': expected 0 or more");
    BOOST_TEST(line({.epsilon = 0}) == "epsilon: '0': expected more than 0");
}

BOOST_AUTO_TEST_CASE(threads_change_no_bit) {
    attnlab::index_t const n = 100003;
    auto const run = [&](int threads) {
        omp_set_num_threads(threads);
        pair_of_parameters<float> two(n);
        attnlab::optimizer<float> opt(two.list, {});
        double norm = 0;
        for (std::uint64_t step = 0; step < 2; ++step) {
            for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(n); ++i)
                two.free->gradient[i] = two.decayed->gradient[i] = static_cast<float>(rng::uniform(step, i) - 0.5);
            norm += gradient_norm(two.list);
            opt.step(0.01);
        }
        return std::pair(norm, values(two.list));
    };
    int const before = omp_get_max_threads();
    auto const one = run(1), three = run(3);
    omp_set_num_threads(before);
    BOOST_TEST(one.first == three.first);
    BOOST_TEST((one.second == three.second));
}

BOOST_AUTO_TEST_CASE(norm_and_clip) {
    pair_of_parameters<float> two(5000);  // more than one block
    two.gradient(0.5);
    BOOST_TEST(near(gradient_norm(two.list), 50, 1e-12));
    BOOST_TEST(clip_factor(50, 0) == 1.0);  // off
    BOOST_TEST(clip_factor(0.5, 1) == 1.0);
    BOOST_TEST(near(clip_factor(50, 1), 1 / 50.000001, 1e-16));
    BOOST_TEST(clip_factor(0, 1) == 1.0);
    two.free->gradient[4999] = std::numeric_limits<float>::quiet_NaN();
    BOOST_TEST(std::isnan(gradient_norm(two.list)));
    two.gradient(3e38);  // its square overflows a float
    BOOST_TEST(near(gradient_norm(two.list) / 3e40, 1, 1e-6));
}

BOOST_AUTO_TEST_CASE(norms_of_recorded_gradients) {
    if (!std::filesystem::is_directory(fixtures() / "train")) return;
    for (auto const& folder : std::filesystem::directory_iterator(fixtures() / "train")) {
        auto const gradients = folder.path() / "grads_step0_f64.safetensors";
        auto const about = parse_json(folder.path() / "case.json");
        if (!std::filesystem::exists(gradients) || !about.contains("hyper")) continue;
        safetensors_reader const file(gradients);
        parameter_list<double> list;
        for (auto const& t : file.tensors()) list.add(t.name, t.shape, zeros);
        list.allocate();
        for (auto const& p : list) file.copy_to(p->name, p->gradient);
        auto const expected = about["float64"]["grad_norm"][0].get<double>();
        BOOST_TEST(near(gradient_norm(list) / expected, 1, 1e-9), gradients.string());
    }
}

BOOST_AUTO_TEST_SUITE_END()
