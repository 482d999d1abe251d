// Observers of one's own: how much attention falls on token 0 in each layer, before and after a short training; and what the model loses
// when token 0 has nothing to give.
#include <algorithm>
#include <cstdio>
#include <vector>

#include <attnlab/attnlab.hpp>
#include <attnlab/data/batches.hpp>
#include <attnlab/observe/alter.hpp>
#include <attnlab/train/optimizer.hpp>
using namespace attnlab;

// What passes at the sites of this list is handed over; what is not in it is neither computed nor copied.
struct first_token_mass {
    using sites = site_list<site::pattern>;
    std::vector<running_mean> layers;

    void operator()(site::pattern, index_t layer, view<float const, 4> w) {   // (B, H, T, T): sequence, head, query, key
        layers.resize(std::max(layers.size(), static_cast<std::size_t>(layer) + 1));
        for (index_t b = 0; b < w.shape(0); ++b)
            for (index_t h = 0; h < w.shape(1); ++h)
                for (index_t i = 1; i < w.shape(2); ++i) layers[static_cast<std::size_t>(layer)].add(w(b, h, i, 0));
    }
};

int main() {
    gpt_config const sizes{.n_layer = 2, .n_head = 4, .n_embd = 64, .block_size = 32, .vocab_size = 64, .bias = true, .init_std = 0.07};
    gpt<attention<causal, softmax>, cpu> model(sizes);
    model.parameters().initialize(1);
    optimizer<float> adam(model.parameters(), {.weight_decay = 0, .beta2 = 0.99});
    backcopy_batches const data(backcopy{});   // a made-up language in which sinks form quickly; every sequence begins with token 0
    tensor<token, 2> x({16, 32}), y({16, 32});

    auto const look = [&](int step) {
        first_token_mass seen;
        data.evaluation(0, x, y);
        double const loss = model.loss(x, y, seen);   // the observer is an argument of the pass
        std::printf("step %3d  loss %.3f  attention on token 0:", step, loss);
        for (std::size_t l = 0; l < seen.layers.size(); ++l) std::printf("  layer %zu %.3f", l, seen.layers[l].mean());
        std::printf("\n");
    };
    look(0);
    for (int step = 1; step <= 300; ++step) {
        data.batch(static_cast<std::uint64_t>(step), x, y);
        model.parameters().zero_gradients();
        model.loss_and_gradient(x, y);
        adam.step(1e-2);
        if (step % 100 == 0) look(step);
    }

    // What an observer alters flows on: here the values (B, H, T, D) before the kernel reads them.
    auto silent = alter<site::v>([](site::v, index_t, view<float, 4> v) {
        for (index_t b = 0; b < v.shape(0); ++b)
            for (index_t h = 0; h < v.shape(1); ++h) std::fill_n(&v(b, h, 0, 0), v.shape(3), 0.0f);
    });
    std::printf("loss when token 0 has no values: %.3f\n", model.loss(x, y, silent));
}
