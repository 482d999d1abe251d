#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/observe/record.hpp>
#include <attnlab/observe/weights.hpp>
#include <attnlab/train/optimizer.hpp>

// The suite is named apart: attnlab::site::weights is an array.
BOOST_AUTO_TEST_SUITE(observed_weights)

using namespace attnlab;

namespace {

struct two_blocks {
    parameter_list<float> all;
    two_blocks() {
        all.add("transformer.wte.weight", {3, 2}, zeros);
        for (std::string const layer : {"0", "1"}) {
            all.add("transformer.h." + layer + ".attn.c_proj.weight", {2, 2}, ones);
            all.add("transformer.h." + layer + ".mlp.c_proj.weight", {2, 3}, constant(layer == "0" ? 5 : 6));
            all.add("transformer.h." + layer + ".mlp.c_proj.bias", {2}, zeros);
        }
        all.allocate();
        all.initialize(1);
        for (auto const& p : all)
            for (auto& g : p->gradient) g = 0.5f;
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(weights_and_gradients_are_shown_layer_by_layer) {
    two_blocks model;
    record<float, site::weight<"mlp.down_proj">, site::gradient<site::weight<"mlp.c_proj">>> seen;
    watch_weights(model.all, seen);
    BOOST_TEST((seen.visits() == std::vector<std::string>{"blocks.0.mlp.down_proj", "blocks.1.mlp.down_proj",
                                                          "blocks.0.mlp.c_proj.grad", "blocks.1.mlp.c_proj.grad"}));
    BOOST_TEST((seen.at("blocks.1.mlp.down_proj").values == std::vector<float>(6, 6)));
    BOOST_TEST((seen.at("blocks.1.mlp.down_proj").shape == std::vector<index_t>{2, 3}));
    BOOST_TEST((seen.at("blocks.0.mlp.c_proj.grad").values == std::vector<float>(6, 0.5f)));
}

BOOST_AUTO_TEST_CASE(moments_are_shown_where_the_optimizer_keeps_them) {
    two_blocks model;
    optimizer<float> adam(model.all, {.weight_decay = 0, .beta1 = 0.9, .beta2 = 0.75}),
        momentum(model.all, {.optim_name = "gdm", .beta1 = 0.5});
    adam.step(0), momentum.step(0);
    using weight = site::weight<"mlp.c_proj">;
    record<float, site::first_moment<weight>, site::second_moment<weight>> seen;
    watch_moments(model.all, adam, seen);
    BOOST_TEST(seen.at("blocks.1.mlp.c_proj.m").values[0] == 0.05f, boost::test_tools::tolerance(1e-5f));    // 0.1 * 0.5
    BOOST_TEST(seen.at("blocks.1.mlp.c_proj.v").values[0] == 0.0625f, boost::test_tools::tolerance(1e-5f));  // 0.25 * 0.25
    record<float, site::first_moment<weight>> first;
    watch_moments(model.all, momentum, first);
    BOOST_TEST(first.at("blocks.0.mlp.c_proj.m").values.size() == 6U);
    BOOST_CHECK_THROW(watch_moments(model.all, momentum, seen), error);
}

BOOST_AUTO_TEST_CASE(a_weight_that_no_block_has_brings_the_nearest) {
    two_blocks model;
    record<float, site::weight<"mlp.c_prj">> seen;
    try {
        watch_weights(model.all, seen);
        BOOST_ERROR("expected an error");
    } catch (error const& e) {
        BOOST_TEST(
            std::string(e.what()).find("'mlp.c_prj': no block of this model has it; nearest: mlp.c_proj") != std::string::npos,
            e.what());
    }
}

BOOST_AUTO_TEST_SUITE_END()
