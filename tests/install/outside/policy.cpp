// Somebody else's attention, trained for a few steps in somebody else's program.
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/train/optimizer.hpp>

namespace {
struct damped {
    struct parameters {
        attnlab::head_scalar<"gate"> gate{attnlab::ones};
    };
    static constexpr auto output(auto const& row, auto const& p) { return sigmoid(p.gate) * row.output; }
};
}  // namespace

// Whether the loss on one batch falls.
bool learns() {
    using namespace attnlab;
    gpt<attention<causal, softmax, damped>, cpu> model({.n_layer = 1, .n_head = 2, .n_embd = 16, .block_size = 8, .vocab_size = 11});
    model.parameters().initialize(1);
    optimizer<float> adam(model.parameters(), {});
    tensor<std::int32_t, 2> x({2, 8}), y({2, 8});
    for (std::int32_t i = 0; i < 16; ++i) x.data()[i] = i % 11, y.data()[i] = (i + 1) % 11;
    double const before = model.loss(x, y);
    for (int step = 0; step < 20; ++step) {
        model.parameters().zero_gradients();
        model.loss_and_gradient(x, y);
        adam.step(1e-2);
    }
    return model.loss(x, y) < before - 0.1;
}
