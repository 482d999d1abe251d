// An attention of one's own, trained for a few steps on counting modulo 11.
#include <cstdio>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/train/optimizer.hpp>
using namespace attnlab;

// A gate on each head's result, from the layer's input.
struct gated {
    struct parameters {
        head_map<"gate.weight"> weight{from_model};
        head_scalar<"gate.bias"> bias{ones};
    };
    static constexpr auto output(auto const& row, auto const& p) { return sigmoid(dot(row.input, p.weight) + p.bias) * row.output; }
};

int main() {
    gpt<attention<causal, softmax, gated>, cpu> model({.n_layer = 1, .n_head = 2, .n_embd = 16, .block_size = 8, .vocab_size = 11});
    model.parameters().initialize(1);
    optimizer<float> adam(model.parameters(), {});
    tensor<std::int32_t, 2> x({2, 8}), y({2, 8});
    for (std::int32_t i = 0; i < 16; ++i) x.data()[i] = i % 11, y.data()[i] = (i + 1) % 11;

    double const before = model.loss(x, y);
    for (int step = 0; step < 50; ++step) {
        model.parameters().zero_gradients();
        model.loss_and_gradient(x, y);
        adam.step(1e-2);
    }
    double const after = model.loss(x, y);
    std::printf("loss %.3f, after 50 steps %.3f\n", before, after);
    return after < before / 2 ? 0 : 1;
}
