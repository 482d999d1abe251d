// A GPT with compressed Linears is the GPT whose weights and inputs were replaced by hand.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/compression.hpp>
#include <attnlab/attention/head_gate.hpp>
#include <attnlab/attention/library.hpp>
#include <attnlab/attention/t5_bias.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/models/linear_weights.hpp>
#include <attnlab/observe/alter.hpp>

BOOST_AUTO_TEST_SUITE(compressed_gpt)

using namespace attnlab;

namespace {

using plain = attention<causal, softmax>;

template <class Policy>
struct tiny : gpt<Policy, cpu> {
    tensor<std::int32_t, 2> x{{2, 6}}, y{{2, 6}};
    tiny() : gpt<Policy, cpu>({.n_layer = 2, .n_head = 2, .n_embd = 8, .block_size = 6, .vocab_size = 7, .bias = true, .init_std = 0.4}) {
        this->parameters().initialize(3);
        for (index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<std::int32_t>(i * i % 7), y.data()[i] = static_cast<std::int32_t>((3 * i + 1) % 7);
    }
    double loss_as_is() { return this->loss(*x, *y); }
    std::vector<parameter<float>*> weights() { return linear_weights<Policy>(this->parameters()); }
    std::vector<std::vector<float>> values() {
        std::vector<std::vector<float>> out;
        for (auto const& p : this->parameters()) out.emplace_back(p->value.begin(), p->value.end());
        return out;
    }
};

template <class Policy>
std::string names_in_first_block() {
    tiny<Policy> model;
    std::string out;
    for (auto const* p : model.weights())
        if (p->name.starts_with("transformer.h.0.")) out += p->name.substr(16) + " ";
    return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(linears_are_those_of_the_blocks_and_gates) {
    std::string const attention_then_mlp[] = {"attn.c_attn.weight attn.c_proj.weight ", "mlp.c_fc.weight mlp.c_proj.weight "};
    BOOST_TEST(names_in_first_block<plain>() == attention_then_mlp[0] + attention_then_mlp[1]);
    BOOST_TEST((names_in_first_block<attention<causal, softmax, head_gate>>()) == attention_then_mlp[0] + "attn.gate_w " + attention_then_mlp[1]);
    BOOST_TEST((names_in_first_block<attention<causal, softmax, context_scale>>()) ==
               attention_then_mlp[0] + "attn.context_scale.0.weight " + attention_then_mlp[1]);
    BOOST_TEST((names_in_first_block<attention<causal, softmax, attention_bias>>()) == attention_then_mlp[0] + attention_then_mlp[1]);
    BOOST_TEST((names_in_first_block<attention<causal, softmax, element_gate>>()) == attention_then_mlp[0] + "attn.gate_w " + attention_then_mlp[1]);
    // A table of (H, 8) is no matrix on the input of width 8.
    BOOST_TEST((names_in_first_block<attention<t5_bias<8, 16>, causal, softmax>>()) == attention_then_mlp[0] + attention_then_mlp[1]);
    tiny<plain> model;
    BOOST_TEST(model.weights().size() == 8u);
}

BOOST_AUTO_TEST_CASE(quantised_weights_are_weights_replaced_by_hand) {
    tiny<plain> model, by_hand;
    auto const before = model.values();
    double const as_trained = model.loss_as_is();
    for (auto const& c : compressions()) {
        if (c.activation_bits != 0) continue;
        by_hand.parameters().initialize(3);
        for (int layer = 0; layer < 2; ++layer)
            for (std::string const name : {"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"}) {
                auto& w = by_hand.parameters().at("transformer.h." + std::to_string(layer) + "." + name + ".weight");
                if (c.weight_bits != 0) {
                    double largest = 0;
                    for (float e : w.value) largest = std::max(largest, std::abs(static_cast<double>(e)));
                    double const levels = c.weight_bits == 8 ? 127 : 7;
                    for (float& e : w.value) e = static_cast<float>(std::nearbyint(static_cast<double>(e) * levels / largest) / levels * largest);
                } else {
                    std::vector<float> sorted;
                    for (float e : w.value) sorted.push_back(std::abs(e));
                    std::sort(sorted.begin(), sorted.end());
                    float const least_kept = sorted[static_cast<std::size_t>(std::nearbyint(c.pruned * static_cast<double>(sorted.size())))];
                    for (float& e : w.value) e = std::abs(e) < least_kept ? 0 : e;
                }
            }
        double compressed = 0;
        {
            compressed_weights const edit(model.weights(), c);
            compressed = model.loss_as_is();
        }
        BOOST_TEST(compressed == by_hand.loss_as_is(), c.name);
        BOOST_TEST(compressed != as_trained, c.name);
        BOOST_TEST((model.values() == before), c.name);
        BOOST_TEST(model.loss_as_is() == as_trained, c.name);
    }
}

BOOST_AUTO_TEST_CASE(quantised_inputs_are_those_of_every_linear) {
    tiny<plain> model;
    double const as_trained = model.loss_as_is();
    quantised_inputs four(4), sixteen(16);
    int seen = 0;
    auto by_hand = alter<site::ln1_normalized, site::z, site::ln2_normalized, site::mlp_post>([&](auto, index_t, auto x) {
        ++seen;
        quantise(std::span(x.data(), static_cast<std::size_t>(x.size())), 4);
    });
    double const loss = model.loss(*model.x, *model.y, four);
    BOOST_TEST(loss == model.loss(*model.x, *model.y, by_hand));
    BOOST_TEST(seen == 8);
    BOOST_TEST(loss != as_trained);
    BOOST_TEST(std::abs(model.loss(*model.x, *model.y, sixteen) - as_trained) < 1e-3);
    BOOST_TEST(model.loss_as_is() == as_trained);
}

BOOST_AUTO_TEST_CASE(a_weight_that_is_not_a_number_shows) {
    tiny<plain> model;
    model.weights()[0]->value[3] = std::nanf("");
    compressed_weights const edit(model.weights(), compressions()[0]);
    BOOST_TEST(std::isnan(model.loss_as_is()));
}

BOOST_AUTO_TEST_SUITE_END()
