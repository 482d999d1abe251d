// What observers see of a GPT, and what they may change in it: gradients against differences, changes against other models.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/library.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/kernels/ref/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/observe/alter.hpp>
#include <attnlab/observe/record.hpp>
#include <attnlab/observe/weights.hpp>

BOOST_AUTO_TEST_SUITE(gpt_observers)

using namespace attnlab;

namespace {

using plain = attention<causal, softmax>;

template <class Policy, class Device>
struct tiny : gpt<Policy, Device> {
    tensor<std::int32_t, 2> x{{2, 6}}, y{{2, 6}};
    explicit tiny(bool recompute = false)
        : gpt<Policy, Device>({.n_layer = 2,
                               .n_head = 2,
                               .n_embd = 8,
                               .block_size = 6,
                               .vocab_size = 7,
                               .bias = true,
                               .init_std = 0.4,
                               .recompute = recompute}) {
        this->parameters().initialize(3);
        for (index_t i = 0; i < x.size(); ++i)
            x.data()[i] = static_cast<std::int32_t>(i * i % 7), y.data()[i] = static_cast<std::int32_t>((3 * i + 1) % 7);
    }
};

template <class T, class List>
struct record_of;
template <class T, class... Sites>
struct record_of<T, std::tuple<Sites...>> {
    using type = record<T, Sites...>;
};

// The layer's tensor at its site, with `by` added to one number.
template <class Site>
auto nudge(index_t in_layer, std::size_t at, double by) {
    return alter<Site>([=](auto, index_t layer, auto x) {
        if (layer == in_layer) x.data()[at] += by;
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(gradients_are_those_of_the_loss_by_what_stands_there) {
    tiny<plain, ref> model;
    record_of<double, site::gradients>::type seen;
    double const scale = 0.5;
    model.loss_and_gradient(model.x, model.y, scale, seen);
    auto const check = [&]<class Of>(site::gradient<Of>) {
        for (index_t layer = 0; layer < (Of::per_layer ? 2 : 1); ++layer) {
            auto const& found = seen.at(site::full_name<site::gradient<Of>>(layer)).values;
            for (std::size_t at = 0; at < found.size(); at += found.size() / 5) {
                auto more = nudge<Of>(layer, at, 1e-5), less = nudge<Of>(layer, at, -1e-5);
                double const expected = scale * (model.loss(model.x, model.y, more) - model.loss(model.x, model.y, less)) / 2e-5;
                BOOST_TEST_CONTEXT(Of::name << " of layer " << layer << ", element " << at)
                BOOST_TEST(std::abs(found[at] - expected) < 1e-8 + 1e-5 * std::abs(expected));
            }
        }
    };
    std::apply([&](auto... s) { (check(s), ...); }, site::gradients{});
}

BOOST_AUTO_TEST_CASE(sites_of_training_are_visited_in_order_once_also_where_blocks_are_computed_again) {
    record_of<float, site::in_training>::type kept, again;
    tiny<plain, cpu> model, saving(true);
    double const loss = model.loss(model.x, model.y);
    BOOST_TEST(model.loss_and_gradient(model.x, model.y, 1, kept) == loss);
    BOOST_TEST(saving.loss_and_gradient(saving.x, saving.y, 1, again) == loss);
    std::vector<std::string> expected;
    auto const block = [&]<class Site>(Site, index_t layer) {
        if (Site::per_layer) expected.push_back(site::full_name<Site>(layer));
    };
    expected.push_back("hook_embed");
    for (index_t l : {0, 1}) std::apply([&](auto... s) { (block(s, l), ...); }, site::in_loss{});
    expected.insert(expected.end(), {"ln_final.hook_normalized", "ln_final.hook_normalized.grad"});
    for (index_t l : {1, 0}) std::apply([&](auto... s) { (block(s, l), ...); }, site::gradients{});
    expected.push_back("hook_embed.grad");
    BOOST_TEST(kept.visits() == expected, boost::test_tools::per_element());
    BOOST_TEST(again.visits() == expected, boost::test_tools::per_element());
    for (auto const& name : expected) BOOST_TEST_CONTEXT(name) BOOST_TEST((kept.at(name).values == again.at(name).values));
}

BOOST_AUTO_TEST_CASE(an_observer_changes_no_gradient) {
    tiny<plain, cpu> alone, watched;
    record_of<float, site::in_training>::type seen;
    alone.loss_and_gradient(alone.x, alone.y);
    watched.loss_and_gradient(watched.x, watched.y, 1, seen);
    for (auto const& p : alone.parameters())
        BOOST_TEST_CONTEXT(p->name)
        BOOST_TEST(std::equal(p->gradient.begin(), p->gradient.end(), watched.parameters().at(p->name).gradient.begin()));
}

BOOST_AUTO_TEST_CASE(scores_are_those_of_the_pattern) {
    auto const check = [](auto model, auto weights_of) {
        record<double, site::attn_scores, site::pattern> seen;
        model->loss(model->x, model->y, seen);
        auto const &scores = seen.at("blocks.1.attn.hook_attn_scores").values,
                   &pattern = seen.at("blocks.1.attn.hook_pattern").values;
        for (std::size_t row = 0; row < scores.size() / 6; ++row) {
            std::vector<double> s(scores.begin() + static_cast<std::ptrdiff_t>(row * 6),
                                  scores.begin() + static_cast<std::ptrdiff_t>(row * 6 + 6));
            for (std::size_t j = row % 6 + 1; j < 6; ++j) BOOST_TEST(s[j] == -std::numeric_limits<double>::infinity());
            auto const w = weights_of(s, row % 6 + 1);
            for (std::size_t j = 0; j <= row % 6; ++j)
                BOOST_TEST(pattern[row * 6 + j] == w[j], boost::test_tools::tolerance(1e-10));
        }
    };
    auto const softmax_of = [](std::vector<double> s, std::size_t n) {
        double sum = 0;
        for (std::size_t j = 0; j < n; ++j) sum += std::exp(s[j]);
        for (double& x : s) x = std::exp(x) / sum;
        return s;
    };
    check(std::make_unique<tiny<plain, ref>>(), softmax_of);
    check(std::make_unique<tiny<attention<rope<>, alibi, causal, soft_cap<2>, softmax>, ref>>(), softmax_of);
}

BOOST_AUTO_TEST_CASE(a_change_flows_on) {
    tiny<plain, cpu> model;
    // MLP outputs of layer 1 at zero: as if its down projection were none.
    auto silent = alter<site::mlp_out>([](auto, index_t layer, auto x) {
        if (layer == 1) std::fill(x.begin(), x.end(), 0.0f);
    });
    double const changed = model.loss(model.x, model.y, silent), before = model.loss(model.x, model.y);
    for (std::string const name : {"weight", "bias"}) {
        auto const w = model.parameters().at("transformer.h.1.mlp.c_proj." + name).value;
        std::fill(w.begin(), w.end(), 0.0f);
    }
    BOOST_TEST(model.loss(model.x, model.y) == changed);
    BOOST_TEST(changed != before);
}

BOOST_AUTO_TEST_CASE(values_are_changed_before_the_kernel_reads_them) {
    // With v of the first token at zero, z = sum over j > 0 of P_j v_j; also under grouped heads, whose k and v are fewer.
    tiny<plain, cpu> model;
    auto drained = alter<site::v>([](auto, index_t, auto v) {
        for (index_t b = 0; b < v.shape(0); ++b)
            for (index_t h = 0; h < v.shape(1); ++h) std::fill_n(&v(b, h, 0, 0), v.shape(3), 0.0f);
    });
    record<float, site::v, site::pattern, site::z> seen;
    together both(drained, seen);
    model.loss(model.x, model.y, both);
    auto const &v = seen.at("blocks.0.attn.hook_v").values, &p = seen.at("blocks.0.attn.hook_pattern").values,
               &z = seen.at("blocks.0.attn.hook_z").values;
    for (std::size_t b = 0; b < 2; ++b)
        for (std::size_t h = 0; h < 2; ++h)
            for (std::size_t i = 0; i < 6; ++i)
                for (std::size_t c = 0; c < 4; ++c) {
                    double sum = 0;
                    for (std::size_t j = 1; j < 6; ++j)
                        sum += p[((b * 2 + h) * 6 + i) * 6 + j] * v[((b * 2 + h) * 6 + j) * 4 + c];
                    BOOST_TEST(v[(b * 2 + h) * 24 + c] == 0);
                    BOOST_TEST(std::abs(z[(b * 6 + i) * 8 + h * 4 + c] - sum) < 1e-5);
                }
    BOOST_TEST(std::count(seen.visits().begin(), seen.visits().end(), "blocks.0.attn.hook_v") == 1);
}

BOOST_AUTO_TEST_CASE(queries_and_keys_too) {
    tiny<plain, cpu> model;
    record<float, site::pattern> seen;
    auto even = alter<site::q>([](auto, index_t, auto q) { std::fill(q.begin(), q.end(), 0.0f); });  // all scores 0
    together both(even, seen);
    model.loss(model.x, model.y, both);
    BOOST_TEST(seen.at("blocks.1.attn.hook_pattern").values[6 * 5] == 1.0f / 6, boost::test_tools::tolerance(1e-5f));
    auto no_keys = alter<site::k>([](auto, index_t, auto k) { std::fill(k.begin(), k.end(), 0.0f); });
    BOOST_TEST(model.loss(model.x, model.y, no_keys) == model.loss(model.x, model.y, even), boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(a_layer_that_the_model_does_not_have_is_one_line) {
    tiny<plain, cpu> model;
    record<float, site::v> seen;
    in_layers some(seen, {0, 2});
    try {
        model.loss(model.x, model.y, some);
        BOOST_ERROR("expected an error");
    } catch (usage_error const& e) {
        BOOST_TEST(std::string(e.what()) == "observer: layer 2: expected 0 to 1, the blocks of this model");
    }
    BOOST_TEST(seen.visits().empty());
}

BOOST_AUTO_TEST_CASE(weights_of_a_model_by_any_name) {
    tiny<plain, cpu> model;
    record<float, site::weight<"mlp.down_proj">, site::weight<"attn.c_attn">> seen;
    watch_weights(model.parameters(), seen);
    BOOST_TEST((seen.at("blocks.1.mlp.down_proj").shape == std::vector<index_t>{8, 32}));
    BOOST_TEST((seen.at("blocks.0.attn.c_attn").shape == std::vector<index_t>{24, 8}));
    auto const w = model.parameters().at("transformer.h.1.mlp.c_proj.weight").value;
    BOOST_TEST(std::equal(w.begin(), w.end(), seen.at("blocks.1.mlp.down_proj").values.begin()));
}

BOOST_AUTO_TEST_SUITE_END()
