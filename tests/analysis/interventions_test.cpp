#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/interventions.hpp>
#include <attnlab/analysis/outliers/weight_ratio.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/observe/alter.hpp>
#include <attnlab/observe/record.hpp>

BOOST_AUTO_TEST_SUITE(interventions)

using namespace attnlab;

namespace {

constexpr index_t B = 2, T = 3, C = 4;

stream_outliers set_of(std::vector<stream_outliers::element> elements) {
    return {std::move(elements),
            {axis_range{9, 0, 9}, {2, 0, 2}, {T, 0, T}, {C, 0, C}},
            {.rule = "by hand", .site = "hook_resid_post"}};
}

struct numbers {
    std::vector<float> values;
    numbers() {
        for (index_t i = 0; i < B * T * C; ++i) values.push_back(static_cast<float>(i + 1));
    }
    view<float, 3> all() { return {values.data(), {B, T, C}}; }
};

// The elements that an intervention at resid_post of that layer changed, by flat index.
template <class Intervention>
std::vector<std::size_t> changed_by(Intervention& i, index_t layer) {
    numbers x, before;
    watch(i, site::resid_post{}, layer, x.all());
    std::vector<std::size_t> out;
    for (std::size_t e = 0; e < x.values.size(); ++e)
        if (x.values[e] != before.values[e]) out.push_back(e);
    return out;
}
using flat = std::vector<std::size_t>;

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_named_is_changed_and_nothing_else) {
    auto cut =
        at_outliers<site::resid_post>(set_of({{{0, 1, 0, 2}, 5}, {{1, 1, 2, 3}, 6}, {{3, 1, 1, 0}, 7}}), change::to_zero{});
    BOOST_TEST((changed_by(cut, 1) == flat{2, 23}));
    BOOST_TEST((changed_by(cut, 1) == flat{(1 * T + 1) * C}));  // the next batch holds sequences 2 and 3
    BOOST_TEST(changed_by(cut, 0).empty());
    BOOST_TEST(cut.changed() == 3);
    cut.restart();
    BOOST_TEST((changed_by(cut, 1) == flat{2, 23}));
}

BOOST_AUTO_TEST_CASE(axes_that_are_not_named_are_taken_whole) {
    auto const s = set_of({{{0, 1, 0, 2}, 5}});
    auto channel = at_outliers<site::resid_post>(s.project<axis::layer, axis::channel>(), change::to_zero{});
    BOOST_TEST((changed_by(channel, 1) == flat{2, 6, 10, 14, 18, 22}));
    BOOST_TEST(changed_by(channel, 0).empty());
    auto token = at_outliers<site::resid_post>(s.project<axis::sequence, axis::token>(), change::to_zero{});
    BOOST_TEST((changed_by(token, 0) == flat{0, 1, 2, 3}));
    BOOST_TEST((changed_by(token, 1) == flat{0, 1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(changes_are_what_they_say) {
    auto const s = set_of({{{0, 0, 0, 2}, 5}, {{1, 0, 0, 2}, 9}, {{0, 0, 1, 2}, 100}, {{1, 0, 2, 2}, 200}, {{1, 0, 2, 3}, -8}});
    auto const after = [&](auto change) {
        auto i = at_outliers<site::resid_post>(s, change);
        numbers x;
        watch(i, site::resid_post{}, 0, x.all());
        return std::vector<float>{x.all()(0, 0, 2), x.all()(0, 1, 2), x.all()(1, 2, 3)};
    };
    BOOST_TEST((after(change::to_zero{}) == std::vector<float>{0, 0, 0}));
    BOOST_TEST(
        (after(change::to_mean{}) == std::vector<float>{7, 150, -8}));  // position 0 apart from the others, channel by channel
    BOOST_TEST((after(change::to_value{-1}) == std::vector<float>{-1, -1, -1}));
    BOOST_TEST((after(change::scale{-2}) == std::vector<float>{-6, -14, -48}));
    BOOST_TEST((after(change::clamp{5}) == std::vector<float>{3, 5, 5}));
    BOOST_TEST(std::isnan(change::clamp{5}(std::nan(""), {"", {}})));

    record<float, site::resid_post> other;
    std::vector<float> const seen(static_cast<std::size_t>(B * T * C), 0.5f);
    watch(other, site::resid_post{}, 0, view<float const, 3>(seen.data(), {B, T, C}));
    BOOST_TEST((after(change::patch{other}) == std::vector<float>{0.5f, 0.5f, 0.5f}));
    watch(other, site::resid_post{}, 0, view<float const, 3>(seen.data(), {B, C, T}));
    BOOST_CHECK_THROW(after(change::patch{other}), error);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_one_line) {
    auto outside = at_outliers<site::resid_post>(set_of({{{0, 0, 2, 0}, 1}}), change::to_zero{});
    std::vector<float> x(8);
    try {
        watch(outside, site::resid_post{}, 0, view<float, 3>(x.data(), {1, 2, C}));
        BOOST_ERROR("expected an error");
    } catch (error const& e) {
        BOOST_TEST(std::string(e.what()) == "intervention at blocks.0.hook_resid_post: token 2: expected 0 to 1");
    }
    BOOST_CHECK_THROW(at_outliers<site::mlp_out>(set_of({}), change::to_mean{}), error);  // the means are of another site
}

namespace {

// A model whose outliers are planted: token 0 begins every sequence and is the only one at which neuron 0 of layer 0 fires; one
// large weight of the down projection makes of it an activation of thousands in channel 2; by that channel the key of layer 1 is
// large, and every query looks there.
struct planted : gpt<attention<causal, softmax>, cpu> {
    tensor<std::int32_t, 2> x{{2, 16}}, y{{2, 16}};
    planted()
        : gpt({.n_layer = 2,
               .n_head = 1,
               .n_embd = 8,
               .block_size = 16,
               .vocab_size = 4,
               .bias = true,
               .tied = false,
               .init_std = 0.02}) {
        parameters().initialize(1);
        auto const at = [&](std::string const& name) { return parameters().at("transformer." + name).value; };
        for (std::size_t v = 0; v < 4; ++v) at("wte.weight")[v * 8 + 1] = v == 0 ? 3.0f : -1.0f;
        at("h.0.mlp.c_fc.weight")[1] = 20, at("h.0.mlp.c_fc.bias")[0] = -20;  // 33 at token 0, far below 0 elsewhere
        at("h.0.mlp.c_proj.weight")[2 * 32] = 100;
        at("h.1.attn.c_attn.weight")[8 * 8 + 2] = 4, at("h.1.attn.c_attn.bias")[0] = 4;
        for (index_t i = 0; i < x.size(); ++i)
            x.data()[i] = i % 16 == 0 ? 0 : static_cast<std::int32_t>(1 + i % 3), y.data()[i] = static_cast<std::int32_t>(i % 4);
    }
    weight_outliers large_weights() {
        outlier_finder<float, weight_ratio, site::weight<"mlp.down_proj">> f({.factor = 6});
        watch_weights(parameters(), f);
        return f.set();
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(weights_come_back) {
    planted model;
    auto const set = model.large_weights();
    BOOST_TEST((set.coordinates() == std::vector<weight_outliers::coordinate>{{0, 2, 0}}));
    auto const w = model.parameters().at("transformer.h.0.mlp.c_proj.weight").value;
    std::vector<float> const before(w.begin(), w.end());
    {
        weight_edit edit(model.parameters());
        BOOST_TEST(edit.apply<site::weight<"mlp.down_proj">>(set, change::scale{0.5}) == 1);
        BOOST_TEST(w[64] == 50);
        edit.apply<site::weight<"mlp.down_proj">>(set, change::to_zero{});  // twice the same: the first value comes back
        BOOST_TEST(w[64] == 0);
        BOOST_TEST(std::equal(w.begin(), w.begin() + 64, before.begin()));
    }
    BOOST_TEST(std::equal(w.begin(), w.end(), before.begin()));
    weight_edit edit(model.parameters());
    BOOST_CHECK_THROW(edit.apply<site::weight<"attn.c_proj">>(
                          {{{{0, 2, 31}, 1}}, {axis_range{2, 0, 2}, {8, 0, 8}, {32, 0, 32}}, {}}, change::to_zero{}),
                      error);
}

BOOST_AUTO_TEST_CASE(the_chain_of_a_planted_model_is_found_and_broken) {
    planted model;
    double const loss = model.loss(model.x, model.y);
    auto const r = causal_chain<site::weight<"mlp.down_proj">>(model, model.x, model.y, model.large_weights(),
                                                               chain_rules<>{{}, {.length = 0}});
    std::vector<stream_outliers::coordinate> activations;
    for (index_t b : {0, 1})
        for (index_t l : {0, 1}) activations.push_back({b, l, 0, 2});
    BOOST_TEST((r.activations.coordinates() == activations));
    BOOST_TEST((r.sinks.coordinates() == std::vector<sink_outliers::coordinate>{{0, 1, 0, 0}, {1, 1, 0, 0}}));
    BOOST_TEST(r.before.loss == loss);
    BOOST_TEST(r.before.magnitude > 3000);
    BOOST_TEST(r.before.sink_share > 0.99);

    BOOST_TEST(r.without_weights.changed == 1);
    BOOST_TEST(r.without_weights.activations == 0U);
    BOOST_TEST(r.without_weights.sinks == 0U);
    BOOST_TEST(r.without_weights.magnitude < 10);
    BOOST_TEST(r.without_weights.sink_share < 0.3);

    BOOST_TEST(r.without_activations.changed == 4);
    BOOST_TEST(r.without_activations.activations == 0U);
    BOOST_TEST(r.without_activations.sinks == 0U);

    BOOST_TEST(r.without_sink_values.has_value());  // looked at as before, without effect
    BOOST_TEST(r.without_sink_values->changed == 16);
    BOOST_TEST(r.without_sink_values->sinks == 2U);
    BOOST_TEST(r.without_sink_values->sink_share == r.before.sink_share);
    BOOST_TEST(r.without_sink_values->loss != loss);

    BOOST_TEST(model.loss(model.x, model.y) == loss);
}

BOOST_AUTO_TEST_CASE(a_sink_as_a_scale) {
    planted model;
    sink_heads const heads({{{1, 0}, 1}}, {axis_range{2, 0, 2}, {1, 0, 1}}, {});
    record<float, site::v, site::pattern, site::z> seen;
    double const loss = model.loss(model.x, model.y, seen);
    std::vector<token_batch> const batch{{*model.x, *model.y}};
    auto const r = sink_as_scale(model, batch, {.heads = heads, .head_by_head = true});
    BOOST_TEST(r.loss == loss, boost::test_tools::tolerance(1e-6));
    BOOST_TEST(r.sequences == 2U);
    BOOST_TEST(r.sinks() == 1);
    BOOST_REQUIRE(r.heads.size() == 2U);
    auto const& head = r.heads[1];
    BOOST_TEST(head.sink);
    BOOST_TEST(sink_as_scale(model, batch).heads[1].sink);  // found without being named
    auto const& p = seen.at("blocks.1.attn.hook_pattern").values;
    double mean = 0, square = 0;
    for (std::size_t b = 0; b < 2; ++b)
        for (std::size_t i = 1; i < 16; ++i) {
            double const s = 1 - static_cast<double>(p[(b * 16 + i) * 16]);
            mean += s / 30, square += s * s / 30;
        }
    BOOST_TEST(head.mean() == mean, boost::test_tools::tolerance(1e-6));
    BOOST_TEST(std::abs(head.variance() - (square - mean * mean)) < 1e-9);
    BOOST_TEST(head.all.count() == 30);
    BOOST_TEST(head.quantile(0) <= head.quantile(0.5));
    BOOST_TEST(head.quantile(1) == *std::max_element(head.scale.begin(), head.scale.end()));
    BOOST_TEST(head.sink_part.mean() > 0.9);  // nearly all of the output comes from the sink: this one is planted for its value
    BOOST_TEST(std::abs(r.with_constant.mean) < 1e-6);  // one token begins all sequences
    BOOST_TEST(r.cache.keys(1).error(0) == 0);
    BOOST_TEST((r.verdict() == scale_verdict::fails || !r.without_value.hurts()));

    auto const change_of = [&](auto&& o) { return model.loss(model.x, model.y, o) - loss; };
    auto drained = alter<site::v>([](auto, index_t layer, view<float, 4> v) {
        for (index_t b = 0; layer == 1 && b < 2; ++b) std::fill_n(&v(b, 0, 0, 0), 8, 0.0f);
    });
    BOOST_TEST(std::abs(r.without_value.mean - change_of(drained)) < 1e-5);
    auto off = alter<site::z>([](auto, index_t layer, view<float, 3> z) {
        if (layer == 1) std::fill(z.begin(), z.end(), 0.0f);
    });
    BOOST_TEST(std::abs(head.excess_risk - change_of(off)) < 1e-5);
    BOOST_TEST(r.heads[0].excess_risk != head.excess_risk);

    // (ii) is z with another scale on what does not come from the sink; the loss of that z is the loss that was told.
    auto const& v = seen.at("blocks.1.attn.hook_v").values;
    auto by_hand = alter<site::z>([&](auto, index_t layer, view<float, 3> z) {
        for (std::size_t b = 0; layer == 1 && b < 2; ++b)
            for (std::size_t i = 1; i < 16; ++i)
                for (std::size_t c = 0; c < 8; ++c) {
                    double rest = 0, weights = 0;
                    for (std::size_t j = 1; j <= i; ++j) {
                        rest += p[(b * 16 + i) * 16 + j] * v[(b * 16 + j) * 8 + c];
                        weights += p[(b * 16 + i) * 16 + j];
                    }
                    z.data()[(b * 16 + i) * 8 + c] =
                        static_cast<float>(mean * rest / weights + p[(b * 16 + i) * 16] * v[b * 16 * 8 + c]);
                }
    });
    BOOST_TEST(std::abs(r.with_mean_scale.mean - change_of(by_hand)) < 1e-5);

    // At a later position keys differ from sequence to sequence, and a constant one is another model.
    model.x(1, 3) = model.x(0, 3) % 3 + 1;
    auto const later = sink_as_scale(model, batch, {.heads = heads, .sink = 3});
    BOOST_TEST(later.with_constant.mean != 0);
    BOOST_TEST(later.cache.keys(1).error(0) > 0);
    BOOST_CHECK_THROW(sink_as_scale(model, batch, {.heads = heads, .sink = 15}), error);
}

// A head that is a scale by its weights: every score is that of the query's first channel against the first token, whose value is 0.
BOOST_AUTO_TEST_CASE(a_planted_scale_is_read_off) {
    planted model;
    auto const at = [&](std::string const& name) { return model.parameters().at("transformer." + name).value; };
    auto const weights = at("h.1.attn.c_attn.weight"), bias = at("h.1.attn.c_attn.bias");
    std::fill(weights.begin(), weights.end(), 0.0f);
    std::fill(bias.begin(), bias.end(), 0.0f);
    // q = 1 in channel 0; k = what channel 2 of the stream says, times 3, which is large at the first token alone and else some number below 0.
    bias[0] = 1, weights[8 * 8 + 2] = 3;
    record<float, site::k> seen;
    model.loss(model.x, model.y, seen);
    auto const& k = seen.at("blocks.1.attn.hook_k").values;
    auto const r = sink_as_scale(model, {{*model.x, *model.y}});
    std::size_t n = 0;
    for (std::size_t b = 0; b < 2; ++b)
        for (std::size_t i = 1; i < 16; ++i, ++n) {
            double rest = 0;
            for (std::size_t j = 1; j <= i; ++j) rest += std::exp(static_cast<double>(k[(b * 16 + j) * 8]) / std::sqrt(8.0));
            double const first = std::exp(static_cast<double>(k[b * 16 * 8]) / std::sqrt(8.0));
            BOOST_TEST(static_cast<double>(r.heads[1].scale[n]) == rest / (first + rest), boost::test_tools::tolerance(1e-4));
        }
    BOOST_TEST(r.heads[1].scale.size() == n);
    BOOST_TEST(r.heads[1].scale[14] > r.heads[1].scale[0]);   // more keys share what the sink leaves
    // No value is handed on by anyone: nothing that is done to the scale can be seen.
    BOOST_TEST((r.verdict() == scale_verdict::no_contrast));
}

BOOST_AUTO_TEST_CASE(verdicts_by_the_rule) {
    loss_change const nothing{1e-9, 0}, noise{0.01, 0.02}, less{-0.1, 0.01}, small{0.009, 0.001}, much{0.1, 0.01};
    BOOST_TEST((verdict_of(nothing, much, nothing) == scale_verdict::holds));
    BOOST_TEST((verdict_of(noise, much, less) == scale_verdict::holds));
    BOOST_TEST((verdict_of(small, much, nothing) == scale_verdict::holds_mostly));
    BOOST_TEST((verdict_of(much, much, nothing) == scale_verdict::fails));
    BOOST_TEST((verdict_of(nothing, much, much) == scale_verdict::fails));
    BOOST_TEST((verdict_of(small, noise, nothing) == scale_verdict::fails));
    BOOST_TEST((verdict_of(noise, nothing, less) == scale_verdict::no_contrast));
    BOOST_TEST(!loss_change({0.1, std::nan("")}).hurts());   // a single sequence says nothing
}

BOOST_AUTO_TEST_CASE(losses_by_position_are_those_of_the_model) {
    planted model;
    model.y(0, 3) = -1;
    no_observer nobody;
    auto losses = losses_by_position(model, model.x, model.y, nobody);
    BOOST_TEST(losses.mean() == model.loss(model.x, model.y), boost::test_tools::tolerance(1e-6));
    BOOST_TEST(losses.perplexity() == std::exp(losses.mean()));
    BOOST_TEST(losses.by_position().size() == 16U);
    BOOST_TEST(losses.by_position()[3].count() == 1);
    BOOST_TEST(losses.by_position()[4].count() == 2);

    // A change at the last position changes the loss there alone: attention is causal.
    auto last = at_outliers<site::resid_post>(
        outlier_set<axis::layer, axis::token>({{{0, 15}, 1}}, {axis_range{2, 0, 2}, {16, 0, 16}}, {}), change::to_value{3});
    auto const changed = losses_by_position(model, model.x, model.y, last);
    for (std::size_t t = 0; t < 16; ++t)
        BOOST_TEST((changed.by_position()[t].mean() == losses.by_position()[t].mean()) == (t < 15));
    losses.merge(changed);
    BOOST_TEST(losses.by_position()[4].count() == 4);
}

BOOST_AUTO_TEST_SUITE_END()
