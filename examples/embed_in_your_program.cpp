// A model inside a program of one's own: no command line, data and loop as you like them. It learns a sentence by heart, is saved, and read back says it.
#include <algorithm>
#include <cstdio>
#include <string>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/rope.hpp>
#include <attnlab/attention/softmax1.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/models/gpt_checkpoint.hpp>
#include <attnlab/train/checkpoint.hpp>
#include <attnlab/train/optimizer.hpp>
using namespace attnlab;

int main() {
    std::string const text = "the quick brown fox jumps over the lazy dog; ";
    auto const at = [&](index_t i) { return static_cast<std::int32_t>(text[static_cast<std::size_t>(i) % text.size()]); };

    // The attention is a type: rotary positions, causal mask, softmax with a one in the denominator.
    using policy = attention<rope<>, causal, softmax1>;
    index_t const B = 8, T = 48;
    gpt<policy, cpu> model({.n_layer = 2, .n_head = 2, .n_embd = 32, .block_size = T, .vocab_size = 128});
    model.parameters().initialize(1);   // seed
    optimizer<float> adam(model.parameters(), {.weight_decay = 0.01, .beta2 = 0.99});

    tensor<std::int32_t, 2> x({B, T}), y({B, T});   // inputs, and the token that follows each; -1 would be no target
    for (int step = 0; step <= 120; ++step) {
        for (index_t b = 0; b < B; ++b)
            for (index_t t = 0; t < T; ++t) x(b, t) = at(7 * step + 5 * b + t), y(b, t) = at(7 * step + 5 * b + t + 1);
        model.parameters().zero_gradients();
        double const loss = model.loss_and_gradient(x, y);
        adam.step(1e-2, clip_factor(gradient_norm(model.parameters()), 1.0));
        if (step % 20 == 0) std::printf("step %3d  loss %.4f\n", step, loss);
    }

    // On disk, as `attnlab train` writes it: one .safetensors. A model of the same sizes takes the weights back.
    save_checkpoint("sentence.safetensors", model.parameters(), adam, {.config = checkpoint_config(model.config(), "rope_softmax1"), .iteration = 121});
    safetensors_reader const file("sentence.safetensors");
    gpt<policy, cpu> read_back(read_gpt_config(file));
    load_weights(file, read_back.parameters());

    // Greedily on from a few letters. Logits are (B, T, V).
    std::string said = "the quick";
    while (said.size() < static_cast<std::size_t>(T)) {
        tensor<std::int32_t, 2> ids({1, static_cast<index_t>(said.size())});
        std::copy(said.begin(), said.end(), ids.data());
        auto const last = read_back.logits(ids)[0][ids.shape(1) - 1];
        said += static_cast<char>(std::max_element(last.begin(), last.end()) - last.begin());
    }
    std::printf("%s\n", said.c_str());
}
