// A file that is compiled twice, as attnlab_add_experiment has it: a model on a GPU in the first pass, the kernels of its policy in the second.
// Exit 0: it learned; 1: it did not; 77: there is no GPU.
#ifdef ATTNLAB_DEVICE_PASS
#include <attnlab/cli/experiment_main.hpp>
#else
#include <iostream>
#include <vector>

#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/train/optimizer.hpp>
#endif
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct scaled {
    struct parameters {
        head_vector<"scale"> scale{constant(1)};
    };
    static constexpr auto output(auto const& row, auto const& p) { return p.scale * row.output; }
};
using policy = attention<causal, softmax, scaled>;

// Both passes define it.
int tokens_of_a_sequence() { return 80; }

#ifndef ATTNLAB_DEVICE_PASS
/// A sequence that is longer than a tile of attention.
bool learns(precision products) {
    index_t const T = tokens_of_a_sequence();
    gpt<policy, cuda> model({.n_layer = 1, .n_head = 2, .n_embd = 32, .block_size = T, .vocab_size = 16, .products = products});
    model.parameters().initialize(1);
    auto const& on = operations_of(model);
    optimizer<float> adam(model.parameters(), {}, on);
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(T));
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i % 16);
    view<std::int32_t const, 2> const x(tokens.data(), {1, T});
    double const before = model.loss(x, x);
    for (int i = 0; i < 20; ++i) {
        on.zero(model.parameters().gradients());
        model.loss_and_gradient(x, x);
        adam.step(1e-2, clip_factor(on.gradient_norm(model.parameters()), 1));
    }
    double const after = model.loss(x, x);
    std::cout << "loss " << before << ", after 20 steps " << after << std::endl;
    return after < before / 2;
}
#endif

int main() {
#ifdef ATTNLAB_DEVICE_PASS
    compile_kernels<policy>();
    return tokens_of_a_sequence();
#else
    try {
        std::cout << use_gpu().name << std::endl;
    } catch (error const& e) {
        std::cout << "skipped: " << e.what() << std::endl;
        return 77;
    }
    for (precision const products : {precision::float32, precision::bfloat16})
        if (!learns(products)) return 1;
    return 0;
#endif
}
