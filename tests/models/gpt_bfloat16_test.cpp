// Products of bfloat16: close to those of floats, the same bits on any threads, and the toy task is learned as well.
#include <omp.h>

#include <cmath>
#include <cstring>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/data/batches.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/kernels/ref/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/train/trainer.hpp>

BOOST_AUTO_TEST_SUITE(gpt_bfloat16)

using namespace attnlab;

namespace {

using policy = attention<causal, softmax, attention_bias>;

auto const available = boost::unit_test::precondition([](auto) { return has_bfloat16(cpu{}); });

gpt_config small(precision products) {
    gpt_config c;
    c.n_layer = 2, c.n_head = 4, c.n_embd = 32, c.block_size = 32, c.vocab_size = 64, c.bias = true;
    c.products = products;
    return c;
}

/// The model after some steps on Bigram-Backcopy.
struct trained {
    gpt<policy, cpu> model;
    double excess;

    trained(precision products, std::int64_t steps) : model(small(products)) {
        backcopy const language;
        backcopy_batches const batches(language, 1);
        train_settings s;
        s.max_iters = steps, s.eval_iters = 0, s.gradient_accumulation_steps = 1;
        s.batch_size = 16, s.block_size = 32;
        s.schedule.learning_rate = 3e-3, s.schedule.warmup_iters = 20, s.schedule.decay_lr = false;
        model.parameters().initialize(1);
        trainer(model, s).run(batches);
        tensor<token, 2> x({64, 32}), y({64, 32});
        batches.evaluation(0, x, y);
        excess = model.loss(x, y) - language.floor().loss;
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(logits_and_gradients_are_close_to_those_of_floats, *available) {
    gpt<policy, cpu> exact(small(precision::float32)), rounded(small(precision::bfloat16));
    tensor<token, 2> x({4, 32}), y({4, 32});
    backcopy_batches(backcopy(), 1).batch(0, x, y);
    for (auto* m : {&exact, &rounded}) m->parameters().initialize(1), m->parameters().zero_gradients(), m->loss_and_gradient(x, y);
    auto const apart = [](auto const& a, auto const& b) {
        double difference = 0, size = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            double const d = a[i] - b[i];
            difference += d * d, size += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        }
        return std::sqrt(difference / size);
    };
    for (auto const& p : exact.parameters()) {
        double const d = apart(p->gradient, rounded.parameters().at(p->name).gradient);
        BOOST_TEST(d < 0.03, p->name << ": " << d);   // a factor is off by 2^-9 at most
    }
    auto const a = exact.logits(x), b = rounded.logits(x);
    double const d = apart(std::span(a), std::span(b));
    BOOST_TEST((0 < d && d < 0.01), "logits: " << d);
}

BOOST_AUTO_TEST_CASE(same_bits_on_any_threads, *available) {
    auto const run = [](int threads) {
        int const kept = omp_get_max_threads();
        omp_set_num_threads(threads);
        trained t(precision::bfloat16, 3);
        omp_set_num_threads(kept);
        return t.excess;
    };
    double const one = run(1);
    BOOST_TEST((run(2) == one && run(3) == one && run(8) == one));
}

BOOST_AUTO_TEST_CASE(the_toy_task_is_learned_as_well, *available) {
    // Both see the same batches. 400 steps take the excess from 2.24 to 0.23 nats.
    double const begin = trained(precision::float32, 0).excess, floats = trained(precision::float32, 400).excess,
                 rounded = trained(precision::bfloat16, 400).excess;
    BOOST_TEST_MESSAGE("excess: " << begin << " to " << floats << " in float32, " << rounded << " in bfloat16");
    BOOST_TEST(floats < begin / 4);
    BOOST_TEST(std::abs(rounded - floats) < 0.02);
}

BOOST_AUTO_TEST_CASE(the_reference_refuses_it) {
    BOOST_CHECK_EXCEPTION((gpt<policy, ref>(small(precision::bfloat16))), usage_error,
                          [](auto const& e) { return std::string(e.what()).find("dtype: 'bfloat16': expected float32") == 0; });
}

BOOST_AUTO_TEST_SUITE_END()
