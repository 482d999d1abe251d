// A model on a device beside the same model on the cpu: losses, gradients, training, and what observers on the host see and change.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/train/optimizer.hpp>

#include "kernels_cuda/attention_policies.hpp"
#include "kernels_cuda/device.hpp"

BOOST_AUTO_TEST_SUITE(model)

namespace {

using namespace attnlab;
using attnlab::testing::device;
using policy = std::tuple_element_t<0, attnlab::testing::joints_on_cuda>;   // with a prologue and an output joint
using model_on_device = gpt<policy, device>;
using model_on_cpu = gpt<policy, cpu>;

gpt_config small() { return {.n_layer = 2, .n_head = 2, .n_embd = 24, .block_size = 19, .vocab_size = 37, .bias = true, .init_std = 0.2}; }

struct batch {
    // Heap memory, which a GPU does not see.
    std::vector<std::int32_t> x = std::vector<std::int32_t>(2 * 19), y = x;
    batch() {
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::int32_t>(i * i * 7 % 37), y[i] = static_cast<std::int32_t>(i * 11 % 37);
        y[5] = -1;
    }
    view<std::int32_t const, 2> ids() const { return {x.data(), {2, 19}}; }
    view<std::int32_t const, 2> targets() const { return {y.data(), {2, 19}}; }
};

void check_close(std::span<float const> found, std::span<float const> expected, float tolerance, std::string const& what) {
    BOOST_REQUIRE(found.size() == expected.size());
    float largest = 0, worst = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        worst = std::max(worst, std::isfinite(found[i]) ? std::abs(found[i] - expected[i]) : 1e30f);
    }
    BOOST_TEST(worst <= tolerance * largest, what << ": differs by " << worst << " of " << largest);
}

struct keeps {
    using sites = site_list<site::resid_post, site::q, site::pattern, site::logits>;
    using alters = site_list<site::v, site::mlp_post>;
    std::vector<float> seen;
    void keep(auto x) { seen.insert(seen.end(), x.begin(), x.end()); }
    void operator()(site::resid_post, index_t, view<float const, 3> x) { keep(x); }
    void operator()(site::q, index_t, view<float const, 4> x) { keep(x); }
    void operator()(site::pattern, index_t, view<float const, 4> x) { keep(x); }
    void operator()(site::logits, index_t, view<float const, 3> x) { keep(x); }
    void operator()(site::v, index_t layer, view<float, 4> x) {
        if (layer == 0) x(0, 1, 0, 3) = 2;
    }
    void operator()(site::mlp_post, index_t, view<float, 3> x) { x(1, 2, 5) = -1; }
};

struct looks {
    using sites = site_list<site::ln1_normalized, site::mlp_pre, site::mlp_post, site::ln_final, site::gradient<site::mlp_pre>>;
    std::vector<float> seen;
    void operator()(auto, index_t, view<float const, 3> x) { seen.insert(seen.end(), x.begin(), x.end()); }
};
struct changes {
    using sites = site_list<>;
    using alters = site_list<site::ln1_normalized, site::mlp_post>;
    void operator()(site::ln1_normalized, index_t, view<float, 3> x) { x(1, 3, 4) = -20; }
    void operator()(site::mlp_post, index_t, view<float, 3> x) { x(1, 2, 5) = -40; }
};

}  // namespace

BOOST_AUTO_TEST_CASE(trains_as_on_the_cpu) {
    batch const b;
    model_on_device m(small());
    model_on_cpu expected(small());
    m.parameters().initialize(3), expected.parameters().initialize(3);
    auto const& on = operations_of(m);
    optimizer<float> step(m.parameters(), {}, on), expected_step(expected.parameters(), {});
    for (int i = 0; i < 3; ++i) {
        on.zero(m.parameters().gradients());
        expected.parameters().zero_gradients();
        BOOST_TEST(m.loss_and_gradient(b.ids(), b.targets(), 0.5) == expected.loss_and_gradient(b.ids(), b.targets(), 0.5), boost::test_tools::tolerance(1e-5));
        for (auto const& p : m.parameters()) check_close(p->gradient, expected.parameters().at(p->name).gradient, 2e-4f, "gradient of " + p->name);
        BOOST_TEST(on.gradient_norm(m.parameters()) == gradient_norm(expected.parameters()), boost::test_tools::tolerance(1e-4));
        step.step(1e-2), expected_step.step(1e-2);
    }
    BOOST_TEST(m.loss(b.ids(), b.targets()) == expected.loss(b.ids(), b.targets()), boost::test_tools::tolerance(1e-4));
}

/// Sees what is before GELU, which a product otherwise makes GELU of itself.
struct sees_before_gelu {
    using sites = site_list<site::mlp_pre>;
    index_t times = 0;
    void operator()(site::mlp_pre, index_t, view<float const, 3>) { ++times; }
};

/// In bfloat16 what products read is kept rounded: loss and gradients are those of float32 up to that.
template <class Policy>
void check_bfloat16(gpt_config const& c) {
    batch const b;
    gpt_config half = c;
    half.products = precision::bfloat16;
    for (bool const recompute : {false, true}) {
        half.recompute = recompute;
        gpt<Policy, device> m(half);
        gpt<Policy, cpu> expected(c);
        m.parameters().initialize(3), expected.parameters().initialize(3);
        auto const& on = operations_of(m);
        on.zero(m.parameters().gradients());
        expected.parameters().zero_gradients();
        double const loss = m.loss_and_gradient(b.ids(), b.targets(), 0.5), exact = expected.loss_and_gradient(b.ids(), b.targets(), 0.5);
        BOOST_TEST(loss == exact, boost::test_tools::tolerance(5e-3));
        BOOST_TEST(loss != exact);
        BOOST_TEST(m.loss(b.ids(), b.targets()) == loss, boost::test_tools::tolerance(2e-3));   // of logits that are not rounded
        auto const logits = m.logits(b.ids()), logits_of_cpu = expected.logits(b.ids());
        check_close(logits, logits_of_cpu, 0.02f, "logits");
        // The whole gradient points where it should, and that of each bias.
        auto const check_gradients = [&] {
            double dot = 0, found = 0, wanted = 0;
            for (auto const& p : m.parameters()) {
                auto const& e = expected.parameters().at(p->name).gradient;
                for (std::size_t i = 0; i < e.size(); ++i) {
                    double const x = p->gradient[i], y = e[i];
                    dot += x * y, found += x * x, wanted += y * y;
                }
                if (p->name.ends_with("c_fc.bias") || p->name.ends_with("c_proj.bias")) check_close(p->gradient, e, 0.05f, "gradient of " + p->name);
            }
            BOOST_TEST(found == wanted, boost::test_tools::tolerance(0.01));
            BOOST_TEST(dot > 0.9995 * std::sqrt(found * wanted));
        };
        check_gradients();
        sees_before_gelu o;
        on.zero(m.parameters().gradients());
        BOOST_TEST(m.loss_and_gradient(b.ids(), b.targets(), 0.5, o) == loss, boost::test_tools::tolerance(2e-3));
        BOOST_TEST(o.times == c.n_layer);
        check_gradients();
    }
}
BOOST_AUTO_TEST_CASE(trains_in_bfloat16) { check_bfloat16<policy>(small()); }
BOOST_AUTO_TEST_CASE(trains_in_bfloat16_with_the_other_gelu) {
    gpt_config c = small();
    c.gelu = c.gelu == gelu_form::exact ? gelu_form::tanh : gelu_form::exact;
    check_bfloat16<policy>(c);
}
BOOST_AUTO_TEST_CASE(trains_in_bfloat16_without_biases) {
    gpt_config c = small();
    c.bias = false;
    check_bfloat16<policy>(c);
}
// Where products alone read the gradients by q, k and v, these are rounded as well.
BOOST_AUTO_TEST_CASE(trains_in_bfloat16_without_other_joints) { check_bfloat16<std::tuple_element_t<0, attnlab::testing::weightings_on_cuda>>(small()); }
BOOST_AUTO_TEST_CASE(trains_in_bfloat16_where_joints_read_the_input) { check_bfloat16<std::tuple_element_t<3, attnlab::testing::joints_on_cuda>>(small()); }

// Heads of 64 channels, as kernels are compiled for: tiles read rows where the layer has them.
using reads_input = std::tuple_element_t<1, attnlab::testing::joints_on_cuda>;
BOOST_AUTO_TEST_CASE(trains_in_bfloat16_with_heads_that_tiles_read_in_place) {
    gpt_config c = small();
    c.n_embd = 128, c.init_std = 0.1;
    check_bfloat16<std::tuple_element_t<0, attnlab::testing::weightings_on_cuda>>(c);
    check_bfloat16<reads_input>(c);
}

/// Observers are shown floats, and what they change is rounded again, also where joints read it as it was.
using observed = std::tuple<policy, reads_input>;
BOOST_AUTO_TEST_CASE_TEMPLATE(observers_see_and_change_rounded_rows, Policy, observed) {
    batch const b;
    gpt_config half = small();
    half.products = precision::bfloat16;
    gpt<Policy, device> m(half);
    gpt<Policy, cpu> expected(small());
    m.parameters().initialize(3), expected.parameters().initialize(3);
    looks o, on_cpu;
    double const unchanged = m.loss_and_gradient(b.ids(), b.targets(), 0.5, o);
    expected.loss_and_gradient(b.ids(), b.targets(), 0.5, on_cpu);
    check_close(o.seen, on_cpu.seen, 0.03f, "what was seen");
    changes c;
    double const changed = m.loss(b.ids(), b.targets(), c), changed_on_cpu = expected.loss(b.ids(), b.targets(), c);
    BOOST_TEST(changed == changed_on_cpu, boost::test_tools::tolerance(5e-3));
    BOOST_TEST(std::abs(changed - unchanged) > 0.02);
}

BOOST_AUTO_TEST_CASE(observers_see_and_change_what_kernels_made) {
    batch const b;
    model_on_device m(small());
    model_on_cpu expected(small());
    m.parameters().initialize(3), expected.parameters().initialize(3);
    keeps o, on_cpu_seen;
    auto const logits = m.logits(b.ids(), o);
    auto const from_cpu = expected.logits(b.ids(), on_cpu_seen);
    BOOST_TEST(o.seen.size() > 1000);
    check_close(o.seen, on_cpu_seen.seen, 1e-4f, "what was seen");
    check_close(logits, from_cpu, 1e-4f, "logits");
}

BOOST_AUTO_TEST_SUITE_END()
