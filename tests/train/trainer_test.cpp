#include <boost/test/unit_test.hpp>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <attnlab/io/file.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/train/trainer.hpp>

#include "bigram.hpp"
#include "io/folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(trainer)

namespace {

train_settings small() {
    train_settings s;
    s.max_iters = 20;
    s.eval_interval = 5;
    s.eval_iters = 2;
    s.gradient_accumulation_steps = 2;
    s.batch_size = 4;
    s.block_size = 8;
    s.schedule = {0.05, 0.005, 3, 20};
    s.optimizer.beta2 = 0.99;
    return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(it_learns_and_tells) {
    bigram<float> model;
    auto s = small();
    s.max_iters = 200;
    s.eval_interval = 60;
    s.log_interval = 50;
    s.schedule = {0.1, 0.01, 10, 200};
    std::vector<std::int64_t> evaluated, logged;
    std::vector<double> validation, rates;
    train_hooks<bigram<float>> hooks;
    hooks.on_evaluate = [&](std::int64_t it, bigram<float>&, loss_estimate e) {
        evaluated.push_back(it);
        validation.push_back(e.validation);
        BOOST_TEST(std::abs(e.train - e.validation) < 0.3);
    };
    hooks.on_step = [&](step_record const& r) {
        BOOST_TEST(r.iteration == static_cast<std::int64_t>(rates.size()));
        BOOST_TEST(r.gradient_norm > 0);
        rates.push_back(r.rate);
        if (r.log) logged.push_back(r.iteration);
    };
    attnlab::trainer t(model, s);
    t.run(rule_batches{}, hooks);
    BOOST_TEST((evaluated == std::vector<std::int64_t>{0, 60, 120, 180, 200}));
    BOOST_TEST((logged == std::vector<std::int64_t>{0, 50, 100, 150}));
    BOOST_TEST(rates.size() == 200u);
    BOOST_TEST(rates[0] == 0.0);
    BOOST_TEST(rates[10] == 0.1);
    BOOST_TEST(std::abs(validation.front() - std::log(7)) < 0.1);
    BOOST_TEST(validation.back() < 0.7);  // its entropy is 0.52: nine in ten, and one in ten to 0
    BOOST_TEST(t.state().tokens_seen == 200 * 2 * 4 * 8);
    BOOST_TEST(t.state().best_val_loss <= validation.back());
}

// One step of 2 x (4,8) is one step of the two batches' mean gradient; SGD at rate r on the plain formula.
BOOST_AUTO_TEST_CASE(a_step_is_the_clipped_mean_of_its_micro_batches) {
    bigram<double> model, by_hand;
    auto s = small();
    s.max_iters = 1;
    s.schedule.decay_lr = false;
    s.grad_clip = 0.01;
    s.optimizer = {.optim_name = "gdm", .weight_decay = 0};
    attnlab::trainer t(model, s);
    double loss = 0, norm = 0;
    t.run(rule_batches{}, {{}, [&](step_record const& r) { loss = r.loss, norm = r.gradient_norm; }});

    tensor<token, 2> x({4, 8}), y({4, 8});
    double expected_loss = 0;
    for (std::uint64_t micro : {0u, 1u}) {
        rule_batches{}.batch(micro, x, y);
        expected_loss += by_hand.loss_and_gradient(*x, *y, 0.5) / 2;
    }
    double squares = 0;
    for (auto const& p : by_hand.parameters())
        for (double g : p->gradient) squares += g * g;
    BOOST_TEST(std::abs(loss - expected_loss) < 1e-14);
    BOOST_TEST(std::abs(norm - std::sqrt(squares)) < 1e-14);
    BOOST_TEST(norm > 0.02);  // so the clip is at work
    auto const& moved = model.parameters().at("table");
    auto const& start = by_hand.parameters().at("table");
    for (std::size_t i = 0; i < moved.value.size(); ++i)
        BOOST_TEST(std::abs(moved.value[i] - (start.value[i] - 0.05 * 0.01 / (norm + 1e-6) * start.gradient[i])) < 1e-15);
}

/// Notes the numbers of the training batches asked for.
struct counted_batches : rule_batches {
    std::vector<std::uint64_t>* asked;
    void batch(std::uint64_t i, view<token, 2> x, view<token, 2> y) const {
        asked->push_back(i);
        rule_batches::batch(i, x, y);
    }
};

BOOST_AUTO_TEST_CASE(batches_come_in_order_and_once_over_a_pause_too) {
    folder f;
    auto s = small();
    s.eval_iters = 0;
    s.checkpoint = f / "a.safetensors";
    std::vector<std::uint64_t> asked;
    for (std::int64_t until : {3, 7}) {
        s.max_iters = until;
        bigram<float> model;
        attnlab::trainer t(model, s);
        if (until > 3) t.resume(s.checkpoint);
        t.run(counted_batches{{}, &asked});
    }
    std::vector<std::uint64_t> expected(7 * 2);
    std::iota(expected.begin(), expected.end(), std::uint64_t{0});
    BOOST_TEST(asked == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(resuming_anywhere_gives_the_same_bits) {
    folder f;
    for (std::string kind : {"adam", "gdm"}) {
        auto s = small();
        s.optimizer.optim_name = kind;
        bigram<float> whole;
        attnlab::trainer(whole, s).run(rule_batches{});
        for (std::int64_t stop : {5, 7, 20}) {
            s.checkpoint = f / (kind + std::to_string(stop) + ".safetensors");
            auto half = s;
            half.max_iters = stop;
            bigram<float> first, second(99);
            attnlab::trainer a(first, half, R"({"n": 1})");
            a.run(rule_batches{});
            attnlab::trainer b(second, s);
            b.resume(s.checkpoint);
            BOOST_TEST(b.state().iteration == stop);
            b.run(rule_batches{});
            BOOST_TEST((values(second.parameters()) == values(whole.parameters())), kind << " from " << stop);
            BOOST_TEST(b.state().tokens_seen == 20 * 64);
        }
    }
}

BOOST_AUTO_TEST_CASE(estimates_are_fixed_and_see_no_gradient) {
    bigram<float> model;
    auto const a = estimate_loss(model, rule_batches{}, 3, 4, 8), b = estimate_loss(model, rule_batches{}, 3, 4, 8);
    BOOST_TEST(a.validation == b.validation);
    BOOST_TEST(a.train == b.train);
    BOOST_TEST(a.train != a.validation);
    for (auto const& p : model.parameters())
        for (float g : p->gradient) BOOST_TEST(g == 0.0f);
    BOOST_TEST(std::isnan(estimate_loss(model, rule_batches{}, 0, 4, 8).validation));
}

BOOST_AUTO_TEST_CASE(only_evaluating_changes_and_saves_nothing) {
    folder f;
    bigram<float> model;
    auto const before = values(model.parameters());
    auto s = small();
    s.eval_only = true;
    s.checkpoint = f / "a.safetensors";
    int evaluations = 0;
    attnlab::trainer(model, s).run(rule_batches{}, {[&](std::int64_t, bigram<float>&, loss_estimate) { ++evaluations; }, {}});
    BOOST_TEST(evaluations == 1);
    BOOST_TEST((values(model.parameters()) == before));
    BOOST_TEST(f.count() == 0u);
}

BOOST_AUTO_TEST_CASE(which_evaluations_are_saved) {
    folder f;
    auto const saved_at = [&](bool always, double rate, std::int64_t eval_iters) {
        auto s = small();
        s.always_save_checkpoint = always;
        s.eval_iters = eval_iters;
        s.schedule = {rate, 0, 0, 20, false};
        s.checkpoint = f / "deep/er/a.safetensors";
        std::filesystem::remove(s.checkpoint);
        bigram<float> model;
        attnlab::trainer(model, s).run(rule_batches{});
        return std::filesystem::exists(s.checkpoint) ? read_training_state(safetensors_reader(s.checkpoint)).iteration : -1;
    };
    BOOST_TEST(saved_at(true, 0.05, 2) == 20);
    BOOST_TEST(saved_at(true, 0, 2) == 20);
    BOOST_TEST(saved_at(false, 0.05, 2) == 20);  // still falling
    BOOST_TEST(saved_at(false, 0, 2) == -1);     // never better than at step 0
    BOOST_TEST(saved_at(false, 0, 0) == 20);     // nothing to compare
}

/// Its loss or gradient is not a number from the given call on.
struct failing : bigram<float> {
    int calls = 0, from = 6;
    bool gradient_too = false;
    double loss_and_gradient(view<token const, 2> x, view<token const, 2> y, double scale) {
        double const loss = bigram<float>::loss_and_gradient(x, y, scale);
        if (++calls <= from) return loss;
        if (gradient_too) return parameters().at("table").gradient[0] = std::numeric_limits<float>::infinity(), loss;
        return std::numeric_limits<double>::quiet_NaN();
    }
};

BOOST_AUTO_TEST_CASE(a_loss_that_is_no_number_stops_and_overwrites_nothing) {
    for (bool gradient : {false, true}) {
        folder f;
        failing model;
        model.gradient_too = gradient;
        auto s = small();
        s.eval_interval = 2;
        s.checkpoint = f / "a.safetensors";
        std::vector<float> before;
        auto const line = error_of([&] {
            attnlab::trainer(model, s).run(rule_batches{},
                                           {{}, [&](step_record const&) { before = values(model.parameters()); }});
        });
        BOOST_TEST(names(line, "train: step 3: the ", gradient ? "norm of the gradient is inf" : "loss is nan"));
        BOOST_TEST((values(model.parameters()) == before));
        BOOST_TEST(read_training_state(safetensors_reader(s.checkpoint)).iteration == 2);
    }
}

BOOST_AUTO_TEST_CASE(a_signal_ends_the_run_in_order) {
    for (int signal : {SIGINT, SIGTERM})
        for (bool always : {true, false}) {
            folder f;
            auto s = small();
            s.always_save_checkpoint = always;
            s.checkpoint = f / "a.safetensors";
            bigram<float> model, whole, again(99);
            attnlab::trainer t(model, s);
            train_hooks<bigram<float>> hooks;
            hooks.on_step = [&](step_record const& r) {
                if (r.iteration == 6) std::raise(signal);
            };
            BOOST_CHECK_EXCEPTION(t.run(rule_batches{}, hooks), interrupted, [&](interrupted const& e) {
                return names(e.what(), signal == SIGINT ? "SIGINT" : "SIGTERM", "after 7 of 20 steps",
                             always ? "a.safetensors" : "a.interrupted.safetensors");
            });
            auto const saved = always ? s.checkpoint : f / "a.interrupted.safetensors";
            if (!always) BOOST_TEST(read_training_state(safetensors_reader(s.checkpoint)).iteration == 5);
            attnlab::trainer b(again, s);
            b.resume(saved);
            std::vector<attnlab::step_sums> parts, all;   // before each evaluation: of the steps since the one before, though the run was stopped among them
            attnlab::trainer w(whole, s);
            b.run(rule_batches{}, {[&](std::int64_t, bigram<float>&, loss_estimate) { parts.push_back(b.state().since_evaluation); }});
            w.run(rule_batches{}, {[&](std::int64_t, bigram<float>&, loss_estimate) { all.push_back(w.state().since_evaluation); }});
            BOOST_TEST((values(again.parameters()) == values(whole.parameters())));
            BOOST_TEST_REQUIRE((parts.size() == 3 && all.size() == 5));   // after 10, 15, 20 steps; before the first and after 5 too
            for (std::size_t i = 0; i < parts.size(); ++i) {
                auto const &x = parts[i], &y = all[i + 2];
                BOOST_TEST((x.steps == 5 && y.steps == 5 && x.loss == y.loss && x.gradient_norm == y.gradient_norm));
            }
        }
    bigram<float> model;
    train_hooks<bigram<float>> hooks;
    hooks.on_step = [&](step_record const&) { std::raise(SIGINT); };
    BOOST_TEST(names(error_of([&] { attnlab::trainer(model, small()).run(rule_batches{}, hooks); }), "after 1 of 20 steps",
                     "nothing is saved"));
}

BOOST_AUTO_TEST_CASE(wrong_settings_are_named) {
    bigram<float> model;
    auto const line = [&](auto change) {
        auto s = small();
        change(s);
        BOOST_CHECK_THROW(attnlab::trainer(model, s), usage_error);
        return error_of([&] { attnlab::trainer(model, s); });
    };
    BOOST_TEST(line([](auto& s) { s.max_iters = -1; }) == "max_iters: '-1': expected 0 or more");
    BOOST_TEST(line([](auto& s) { s.eval_interval = 0; }) == "eval_interval: '0': expected 1 or more");
    BOOST_TEST(line([](auto& s) { s.gradient_accumulation_steps = 0; }) ==
               "gradient_accumulation_steps: '0': expected 1 or more");
    BOOST_TEST(line([](auto& s) { s.batch_size = 0; }) == "batch_size: '0': expected 1 or more");
    BOOST_TEST(line([](auto& s) { s.grad_clip = std::nan(""); }) == "grad_clip: 'nan': expected 0 or more");
    BOOST_TEST(names(line([](auto& s) { s.schedule.min_lr = 1; }), "min_lr"));
    BOOST_TEST(names(line([](auto& s) { s.optimizer.optim_name = "sgd"; }), "optim_name"));

    folder f;
    auto s = small();
    s.checkpoint = f.write("file", "x") / "a.safetensors";
    BOOST_TEST(names(error_of([&] { attnlab::trainer(model, s).run(rule_batches{}); }), "file: cannot be made"));
}

BOOST_AUTO_TEST_SUITE_END()
