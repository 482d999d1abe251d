// Families of Hugging Face as they are trained, on a device beside the cpu: losses, gradients, and what observers on the host see and change.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/trained/decoder.hpp>

#include "kernels_cuda/attention_policies.hpp"
#include "kernels_cuda/device.hpp"
#include "models/small_families.hpp"

BOOST_AUTO_TEST_SUITE(families)

namespace {

using namespace attnlab;
using namespace attnlab::testing;

void check_close(std::span<float const> found, std::span<float const> expected, float tolerance, std::string const& what) {
    BOOST_REQUIRE(found.size() == expected.size());
    float largest = 1e-3f, worst = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        worst = std::max(worst, std::isfinite(found[i]) ? std::abs(found[i] - expected[i]) : 1e30f);
    }
    BOOST_TEST(worst <= tolerance * largest, what << ": differs by " << worst << " of " << largest);
}

std::vector<float> numbers(view<float const, 3> x) { return {x.begin(), x.end()}; }

/// Keeps what stands at some sites, and changes others.
struct keeps final : any_observer {
    std::vector<float> seen;
    bool asks(std::string_view site, index_t layer) const override {
        for (auto const name : {site::resid_post::name, site::q::name, site::pattern::name, site::pattern_sums::name, site::mlp_post::name, site::v::name})
            if (site == name) return layer == 1;
        return false;
    }
    void see(seen_site const& x) override {
        if (x.site == site::v::name || x.site == site::mlp_post::name)
            x.alterable[3] = 2;
        else
            seen.insert(seen.end(), x.values.begin(), x.values.end());
    }
};

template <score_form Form, class Policy>
void check(decoder_description const& d, gpt_config const& settings = run) {
    BOOST_TEST_CONTEXT(d.family) {
        trained_decoder<device> model(d, make_decoder_policy<Form, Policy, device>(), settings);
        trained_decoder<cpu> expected(d, make_decoder_policy<Form, Policy, cpu>(), settings);
        fill(model.parameters()), fill(expected.parameters());
        small_batch const b;
        for (int half = 0; half < 2; ++half)   // gradients are added up
            BOOST_TEST(model.loss_and_gradient(b.x, b.y, 0.5) == expected.loss_and_gradient(b.x, b.y, 0.5), boost::test_tools::tolerance(1e-5));
        for (auto const& p : model.parameters()) check_close(p->gradient, expected.parameters().at(p->name).gradient, 2e-4f, "gradient of " + p->name);
        BOOST_TEST(model.loss(b.x, b.y) == expected.loss(b.x, b.y), boost::test_tools::tolerance(1e-5));
        check_close(numbers(model.logits(b.x)), numbers(expected.logits(b.x)), 1e-4f, "logits");
        keeps o, on_cpu;
        check_close(numbers(model.logits(b.x, o)), numbers(expected.logits(b.x, on_cpu)), 1e-4f, "logits after changes");
        BOOST_TEST(o.seen.size() > 100);
        check_close(o.seen, on_cpu.seen, 1e-4f, "what was seen");
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(train_as_on_the_cpu) {
    auto const plain = [](json const& config, gpt_config const& settings = run) { check<score_form::plain, in_families_on_cuda>(described(config), settings); };
    plain(of_width_6("llama", {{"num_key_value_heads", 1}, {"attention_bias", true}}));
    auto again = run;
    again.recompute = true;
    plain(of_width_6("phi3", {{"original_max_position_embeddings", 16}, {"sliding_window", 2}}), again);
    plain(of_width_6("qwen3", {{"head_dim", 6}, {"num_key_value_heads", 1}}));
    plain(of_width_6("gpt_neox", {{"rotary_pct", 0.5}}));
    plain(of_width_6("phi", {{"partial_rotary_factor", 0.5}}));
    plain(opt_350m);
    plain(granite);
    auto clipped = described(granite);
    clipped.clip_qkv = 0.9;
    check<score_form::plain, in_families_on_cuda>(clipped);
    check<score_form::capped, in_capped_families_on_cuda>(described(gemma2));
}

BOOST_AUTO_TEST_SUITE_END()
