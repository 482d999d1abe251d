// The causal chain of outliers in a model that learned them: take the weights away that make the large activations, then the
// activations themselves, then what the attention sinks hand on; see each time what became of activations, sinks and loss.
#include <cstdio>

#include <attnlab/analysis/interventions.hpp>
#include <attnlab/analysis/outliers/mean_ratio.hpp>
#include <attnlab/analysis/outliers/super_weight.hpp>
#include <attnlab/attnlab.hpp>
#include <attnlab/data/batches.hpp>
#include <attnlab/train/optimizer.hpp>
using namespace attnlab;

int main() {
    gpt<attention<causal, softmax>, cpu> model(
        {.n_layer = 2, .n_head = 4, .n_embd = 64, .block_size = 32, .vocab_size = 64, .bias = true, .init_std = 0.07});
    model.parameters().initialize(1);
    optimizer<float> adam(model.parameters(), {.weight_decay = 0, .beta2 = 0.99});
    backcopy_batches const data(backcopy{});  // a made-up language in which sinks form quickly
    tensor<token, 2> x({16, 32}), y({16, 32});
    for (std::uint64_t step = 1; step <= 300; ++step) {
        data.batch(step, x, y);
        model.parameters().zero_gradients();
        model.loss_and_gradient(x, y);
        adam.step(1e-2);
    }
    data.evaluation(0, x, y);

    // Nothing is typed in: a large input of the down projection and a large output of it, at one token, point at a weight.
    mean_ratio const large{.factor = 5};  // times the mean; 1000 in models of billions of weights
    outlier_finder<float, mean_ratio, site::mlp_post> inputs(large);
    outlier_finder<float, mean_ratio, site::mlp_out> outputs(large);
    together both(inputs, outputs);
    model.loss(x, y, both);
    auto const weights = super_weight{.largest_only = false}.find(inputs.set(), outputs.set());

    auto const print = [](chain_link const& l) {
        std::printf("%-30s %5td changed   activations %4zu, mean |h| %5.1f   sinks %4zu, mean share %.2f   loss %.3f\n",
                    l.what.c_str(), l.changed, l.activations, l.magnitude, l.sinks, l.sink_share, l.loss);
    };
    auto const chain =
        causal_chain<site::weight<"mlp.down_proj">>(model, x, y, weights, chain_rules<mean_ratio>{.activations = large});
    print(chain.before);
    print(chain.without_weights);
    print(chain.without_activations);
    print(chain.without_sink_values.value());  // this policy has them: its values are made outside the kernel
}
