// The GPT around its policies: sites, observers, recomputation, first values, targets, errors.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/value_bias.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/observe/record.hpp>

// The suite is named apart: attnlab::gpt is a class.
BOOST_AUTO_TEST_SUITE(gpt_model)

using namespace attnlab;

namespace {

using slot_policy = attention<causal, softmax, attention_bias>;
using sigmoid_policy = attention<causal, sigmoid_attention>;
using slot_model = gpt<slot_policy, cpu>;

gpt_config small() {
    gpt_config c;
    c.n_layer = 2, c.n_head = 2, c.n_embd = 16, c.block_size = 12, c.vocab_size = 11;
    c.init_std = 0.3;
    return c;
}

tensor<std::int32_t, 2> tokens(index_t B, index_t T, index_t vocabulary, int step) {
    tensor<std::int32_t, 2> out({B, T});
    for (index_t i = 0; i < out.size(); ++i) out.data()[i] = static_cast<std::int32_t>((step * i + i * i / 3 + 1) % vocabulary);
    return out;
}

template <class Policy = slot_policy>
struct ready_model : gpt<Policy, cpu> {
    explicit ready_model(gpt_config const& c = small(), std::uint64_t seed = 1) : gpt<Policy, cpu>(c) {
        this->parameters().initialize(seed);
    }
};

template <class List>
struct record_of;
template <class... Sites>
struct record_of<std::tuple<Sites...>> {
    using type = record<float, Sites...>;
};
using record_all = record_of<site::all>::type;

std::vector<float> copy(view<float const, 3> x) { return {x.begin(), x.end()}; }
bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The line of the error that `action` throws.
template <class Error, class Action>
std::string line_of(Action action) {
    try {
        action();
    } catch (Error const& e) {
        return e.what();
    }
    return "no error";
}
bool has(std::string const& line, std::string const& words) {
    BOOST_TEST_MESSAGE(line);
    return line.find(words) != std::string::npos;
}

}  // namespace

// ---- Sites and observers ------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_site_is_visited_in_order) {
    ready_model<> model;
    record_all seen;
    model.logits(tokens(3, 9, 11, 5), seen);
    std::vector<std::string> expected{"hook_embed"};
    for (std::string const block : {"blocks.0.", "blocks.1."})
        for (std::string const name :
             {"hook_resid_pre", "ln1.hook_normalized", "attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_attn_scores",
              "attn.hook_pattern", "attn.hook_slot", "attn.hook_gate", "attn.hook_pattern_sums", "attn.hook_pattern_entropy",
              "attn.hook_largest_score", "attn.hook_pattern_columns", "attn.hook_z", "hook_attn_out", "hook_resid_mid", "ln2.hook_normalized",
              "mlp.hook_pre", "mlp.hook_post", "hook_mlp_out", "hook_resid_post"})
            expected.push_back(block + name);
    expected.insert(expected.end(), {"ln_final.hook_normalized", "logits"});
    BOOST_TEST(seen.visits() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(sites_have_the_axes_they_name) {
    ready_model<> model;
    record_all seen;
    model.logits(tokens(3, 9, 11, 5), seen);
    auto const check = [&]<class Site>(Site) {
        std::vector<index_t> expected;
        for (char axis : Site::axes)
            if (axis != ' ')
                expected.push_back(axis == 'B'   ? 3
                                   : axis == 'T' ? 9
                                   : axis == 'C' ? 16
                                   : axis == 'H' ? 2
                                   : axis == 'D' ? 8
                                   : axis == 'F' ? 64
                                   : axis == 'K' ? 1
                                                 : 11);
        BOOST_TEST_CONTEXT(Site::name) BOOST_TEST((seen.at(site::full_name<Site>(1)).shape == expected));
    };
    std::apply([&](auto... sites) { (check(sites), ...); }, site::all{});
}

BOOST_AUTO_TEST_CASE(sites_are_what_they_say) {
    ready_model<> model;
    record_all seen;
    auto const found = copy(model.logits(tokens(2, 9, 11, 5), seen));
    auto const& values = [&](char const* name) -> std::vector<float> const& { return seen.at(name).values; };
    auto const sum_of = [&](char const* a, char const* b, char const* c) {
        for (std::size_t i = 0; i < values(c).size(); ++i) BOOST_REQUIRE_CLOSE(values(a)[i] + values(b)[i], values(c)[i], 1e-3);
    };
    BOOST_TEST(same_bits(values("logits"), found));
    BOOST_TEST(same_bits(values("hook_embed"), values("blocks.0.hook_resid_pre")));
    BOOST_TEST(same_bits(values("blocks.0.hook_resid_post"), values("blocks.1.hook_resid_pre")));
    sum_of("blocks.1.hook_resid_pre", "blocks.1.hook_attn_out", "blocks.1.hook_resid_mid");
    sum_of("blocks.1.hook_resid_mid", "blocks.1.hook_mlp_out", "blocks.1.hook_resid_post");

    // z = sum_j pattern_j v_j + slot v', row by row.
    auto const &pattern = values("blocks.1.attn.hook_pattern"), &v = values("blocks.1.attn.hook_v"),
               &slot = values("blocks.1.attn.hook_slot"), &z = values("blocks.1.attn.hook_z");
    auto const bias = model.parameters().at("transformer.h.1.attn.v_bias").value;
    std::size_t const T = 9, D = 8, H = 2;
    double worst = 0;
    for (std::size_t b = 0; b < 2; ++b)
        for (std::size_t h = 0; h < H; ++h)
            for (std::size_t i = 0; i < T; ++i)
                for (std::size_t c = 0; c < D; ++c) {
                    std::size_t const row = (b * H + h) * T + i;
                    double sum = slot[row] * bias[h * D + c];
                    for (std::size_t j = 0; j < T; ++j) sum += pattern[row * T + j] * v[((b * H + h) * T + j) * D + c];
                    worst = std::max(worst, std::abs(sum - z[(b * T + i) * H * D + h * D + c]));
                }
    BOOST_TEST(worst < 1e-5);
}

BOOST_AUTO_TEST_CASE(observers_change_no_bit) {
    ready_model<> model;
    auto const x = tokens(3, 9, 11, 5), y = tokens(3, 9, 11, 4);
    auto const alone = copy(model.logits(x));
    double const loss = model.loss(x, y);
    record_all seen;
    BOOST_TEST(same_bits(copy(model.logits(x, seen)), alone));
    record_of<site::in_loss>::type seen_in_loss;
    BOOST_TEST(model.loss(x, y, seen_in_loss) == loss);
    BOOST_TEST(same_bits(copy(model.logits(x)), alone));
}

BOOST_AUTO_TEST_CASE(what_nobody_asks_for_is_not_visited) {
    ready_model<> model;
    record<float, site::v, site::logits> seen;
    model.logits(tokens(1, 9, 11, 5), seen);
    BOOST_TEST((seen.visits() == std::vector<std::string>{"blocks.0.attn.hook_v", "blocks.1.attn.hook_v", "logits"}));
    // Decided when compiled: without an observer no site leaves code behind.
    std::apply([](auto... sites) { static_assert((!wants<no_observer, decltype(sites)> && ...)); }, site::all{});
    std::apply([](auto... sites) { static_assert((wants<record_all, decltype(sites)> && ...)); }, site::all{});
    static_assert(wants<decltype(seen), site::v> && !wants<decltype(seen), site::pattern>);
}

// ---- Training -----------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(recomputation_gives_the_same_bits) {
    auto c = small();
    c.n_layer = 3;
    ready_model<> kept(c);
    c.recompute = true;
    ready_model<> again(c);
    auto const x = tokens(3, 12, 11, 5), y = tokens(3, 12, 11, 4);
    for (int step = 0; step < 2; ++step) {  // the second finds buffers in use
        kept.parameters().zero_gradients();
        again.parameters().zero_gradients();
        BOOST_TEST(kept.loss_and_gradient(x, y) == again.loss_and_gradient(x, y));
        for (auto const& p : kept.parameters()) {
            auto const& q = again.parameters().at(p->name);
            BOOST_TEST_CONTEXT(p->name)
            BOOST_TEST(std::equal(p->gradient.begin(), p->gradient.end(), q.gradient.begin(), q.gradient.end()));
        }
    }
}

BOOST_AUTO_TEST_CASE(batches_of_all_sizes_follow_one_another) {
    ready_model<> model, fresh;
    auto const x = tokens(2, 7, 11, 5);
    model.logits(tokens(4, 12, 11, 3));
    auto const after_a_large_one = copy(model.logits(x));
    BOOST_TEST(same_bits(copy(fresh.logits(x)), after_a_large_one));
    BOOST_TEST(after_a_large_one.size() == 2u * 7 * 11);
}

BOOST_AUTO_TEST_CASE(shared_parameters_start_equal_under_all_policies) {
    ready_model<attention<causal, softmax>> reference;
    auto const& all = reference.parameters();
    auto const check = [&]<class Policy>(Policy) {
        ready_model<Policy> other, another_seed(small(), 2);
        for (auto const& p : all) {
            auto const& q = other.parameters().at(p->name);
            BOOST_TEST_CONTEXT(p->name) BOOST_TEST(std::equal(p->value.begin(), p->value.end(), q.value.begin(), q.value.end()));
        }
        auto const own = other.parameters().items().size() - all.items().size();
        BOOST_TEST(own == 2 * Policy::parameter_count);  // two layers
        auto const& w = another_seed.parameters().at("transformer.wte.weight").value;
        BOOST_TEST(!std::equal(w.begin(), w.end(), all.at("transformer.wte.weight").value.begin()));
    };
    check(attention<causal, softmax, value_bias>{});
    check(attention<causal, softmax, context_bias>{});
    check(attention<causal, softmax, attention_bias>{});
    check(attention<causal, softmax, context_scale>{});
    check(sigmoid_policy{});
}

BOOST_AUTO_TEST_CASE(first_values_are_as_declared) {
    auto c = small();
    c.n_embd = 64, c.vocab_size = 500, c.bias = true, c.init_std = 0.02, c.embedding_std = 0.5;
    ready_model<attention<causal, softmax, context_scale>> model(c);
    auto const deviation = [&](char const* name) {
        auto const& v = model.parameters().at(name).value;
        double sum = 0, squares = 0;
        for (double x : v) sum += x, squares += x * x;
        double const n = static_cast<double>(v.size());
        return std::sqrt(squares / n - sum / n * (sum / n));
    };
    auto const near = boost::test_tools::tolerance(0.1);
    BOOST_TEST(deviation("transformer.wte.weight") == 0.5, near);
    BOOST_TEST(deviation("transformer.h.0.attn.c_attn.weight") == 0.02, near);
    BOOST_TEST(deviation("transformer.h.1.attn.c_proj.weight") == 0.02 / std::sqrt(2.0 * 2), near);
    BOOST_TEST(deviation("transformer.h.1.mlp.c_proj.weight") == 0.02 / std::sqrt(2.0 * 2), near);
    BOOST_TEST(deviation("transformer.h.0.attn.context_scale.0.weight") == 0.02, boost::test_tools::tolerance(0.3));
    auto const all_are = [&](char const* name, float x) {
        auto const& v = model.parameters().at(name).value;
        BOOST_TEST_CONTEXT(name) BOOST_TEST((std::count(v.begin(), v.end(), x) == std::ssize(v)));
    };
    all_are("transformer.h.0.ln_1.weight", 1);
    all_are("transformer.h.0.ln_1.bias", 0);
    all_are("transformer.h.0.attn.c_attn.bias", 0);
    all_are("transformer.h.0.attn.context_scale.0.bias", 0);
    BOOST_TEST(model.parameters().at("transformer.h.0.attn.context_scale.0.weight").decay);
    BOOST_TEST(!model.parameters().at("transformer.h.0.attn.context_scale.0.bias").decay);
}

BOOST_AUTO_TEST_CASE(targets_of_minus_one_do_not_count) {
    ready_model<> model;
    auto const x = tokens(2, 6, 11, 5);
    auto y = tokens(2, 6, 11, 4);
    double sum = 0;
    tensor<std::int32_t, 2> one(y.shape(), -1);
    for (index_t i : {0, 4, 11}) {
        one.data()[i] = y.data()[i];
        sum += model.loss(x, one);
        one.data()[i] = -1;
    }
    for (index_t i = 0; i < y.size(); ++i)
        if (i != 0 && i != 4 && i != 11) y.data()[i] = -1;
    BOOST_TEST(model.loss(x, y) == sum / 3, boost::test_tools::tolerance(1e-6));
    model.parameters().zero_gradients();
    BOOST_TEST(model.loss_and_gradient(x, y) == sum / 3, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(the_length_rule_is_the_models) {
    auto c = small();
    ready_model<sigmoid_policy> model(c);
    auto const whole = tokens(2, 12, 11, 5), part = tokens(2, 6, 11, 5);
    auto const under = [&](length_rule rule, auto const& x) {
        model.set_length_rule(rule);
        return copy(model.logits(x));
    };
    BOOST_TEST(same_bits(under(length_rule::sequence, whole), under(length_rule::trained, whole)));  // block_size is 12
    BOOST_TEST(!same_bits(under(length_rule::sequence, part), under(length_rule::trained, part)));
    BOOST_TEST(!same_bits(under(length_rule::visible, part), under(length_rule::sequence, part)));
    ready_model<> other;
    auto const before = copy(other.logits(part));
    other.set_length_rule(length_rule::visible);
    BOOST_TEST(same_bits(copy(other.logits(part)), before));
}

// ---- Errors -------------------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_config_that_does_not_fit_is_refused) {
    auto const refusal = [](auto change) {
        auto c = small();
        change(c);
        return line_of<usage_error>([&] { slot_model model(c); });
    };
    BOOST_TEST(has(refusal([](auto& c) { c.n_embd = 15; }), "n_embd: expected a multiple of n_head (2), got 15"));
    BOOST_TEST(has(refusal([](auto& c) { c.n_layer = 0; }), "n_layer: expected a positive number"));
    BOOST_TEST(has(refusal([](auto& c) { c.n_head = -2; }), "n_head: expected a positive number"));
    BOOST_TEST(has(refusal([](auto& c) { c.n_embd = 0; }), "n_embd: expected"));
    BOOST_TEST(has(refusal([](auto& c) { c.block_size = 0; }), "block_size: expected"));
    BOOST_TEST(has(refusal([](auto& c) { c.vocab_size = 0; }), "vocab_size: expected"));
    BOOST_TEST(has(refusal([](auto& c) { c.init_std = -1; }), "init_std: expected"));
    BOOST_TEST(has(refusal([](auto& c) { c.embedding_std = -1; }), "embedding_std: expected"));
    BOOST_TEST(has(refusal([](auto& c) { c.layer_norm_eps = 0; }), "layer_norm_eps: expected"));
    BOOST_TEST(refusal([](auto&) {}) == "no error");
}

BOOST_AUTO_TEST_CASE(wrong_input_is_refused) {
    ready_model<> model;
    auto const x = tokens(2, 6, 11, 5), y = tokens(2, 6, 11, 4);
    auto wrong = x;
    wrong(1, 2) = 11;
    BOOST_TEST(has(line_of<error>([&] { model.logits(wrong); }), "11"));
    wrong(1, 2) = -1;
    BOOST_TEST(has(line_of<error>([&] { model.loss(wrong, y); }), "-1"));
    BOOST_TEST(has(line_of<error>([&] { model.logits(tokens(1, 13, 11, 5)); }), "13"));  // longer than block_size
    BOOST_TEST(has(line_of<error>([&] { model.loss(x, tokens(2, 5, 11, 4)); }), "shape"));
    BOOST_TEST(has(line_of<error>([&] { model.loss(x, tensor<std::int32_t, 2>(x.shape(), -1)); }), "at least one target"));
    auto target = y;
    target(0, 3) = 11;
    BOOST_TEST(has(line_of<error>([&] { model.loss_and_gradient(x, target); }), "11"));
    target(0, 3) = -2;
    BOOST_TEST(has(line_of<error>([&] { model.loss(x, target); }), "-2"));
    BOOST_TEST(has(line_of<error>([&] { model.parameters().at("no.such"); }), "no.such"));
}

// Whoever sums gradients over processes may begin where the way back has been.
BOOST_AUTO_TEST_CASE(it_tells_which_gradients_are_complete) {
    for (bool const tied : {true, false})
        for (bool const recompute : {false, true}) {
            auto c = small();
            c.tied = tied, c.recompute = recompute;
            ready_model model(c);
            auto const ids = tokens(2, 12, 11, 3), targets = tokens(2, 12, 11, 5);
            auto const gradient_from = [&](std::size_t first) {
                std::vector<float> out;
                for (std::size_t i = first; i < model.parameters().items().size(); ++i) {
                    auto const& g = model.parameters().items()[i]->gradient;
                    out.insert(out.end(), g.begin(), g.end());
                }
                return out;
            };
            std::vector<std::size_t> told;
            std::vector<std::vector<float>> then;
            double const loss = model.loss_and_gradient(ids, targets, 1, [&](std::size_t first) { told.push_back(first), then.push_back(gradient_from(first)); });
            BOOST_TEST_REQUIRE(told.size() == 2u);
            BOOST_TEST(model.parameters().items()[told[0]]->name == "transformer.h.1.ln_1.weight");
            BOOST_TEST(model.parameters().items()[told[1]]->name == "transformer.h.0.ln_1.weight");
            for (std::size_t i = 0; i < told.size(); ++i) BOOST_TEST(same_bits(then[i], gradient_from(told[i])));
            auto const all = gradient_from(0);
            model.parameters().zero_gradients();
            BOOST_TEST(model.loss_and_gradient(ids, targets, 1) == loss);
            BOOST_TEST(same_bits(all, gradient_from(0)));
        }
}

BOOST_AUTO_TEST_SUITE_END()
