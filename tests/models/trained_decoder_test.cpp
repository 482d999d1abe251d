// Families as they are trained: gradients of whole models against differences in double, one model of each structure.
#include <string>
#include <vector>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/core/gradient_check.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/kernels/ref/kernels.hpp>
#include <attnlab/models/trained/decoder.hpp>

#include "models/small_families.hpp"

BOOST_AUTO_TEST_SUITE(trained_decoder)

using namespace attnlab;
using namespace attnlab::testing;

namespace {

using softmax_policy = attention<causal, softmax>;
using bias_policy = attention<causal, softmax, attention_bias>;

/// The first numbers of every parameter.
void check_gradients(json const& config, decoder_policy<ref> const& policy, gpt_config const& settings = run) {
    attnlab::trained_decoder<ref> model(described(config), policy, settings);
    auto& parameters = model.parameters();
    fill(parameters);
    small_batch const b;
    parameters.zero_gradients();
    double const value = model.loss_and_gradient(b.x, b.y, 0.5);   // two halves: gradients are scaled, and added up
    model.loss_and_gradient(b.x, b.y, 0.5);
    BOOST_TEST(value == model.loss(b.x, b.y), boost::test_tools::tolerance(1e-13));
    std::vector<checked_array> arrays;
    for (auto const& p : parameters) {
        std::size_t const first = p->name.find("embed") != p->name.npos ? p->value.size() / 3 : 0, count = std::min<std::size_t>(9, p->value.size() - first);
        arrays.push_back({p->name, p->value.subspan(first, count), p->gradient.subspan(first, count)});
        double largest = 0;
        for (double g : p->gradient) largest = std::max(largest, std::abs(g));
        // Softmax sees no constant added to all scores: keys' biases move nothing without rotation.
        bool const of_keys = p->name.find("k_proj.bias") != p->name.npos;
        BOOST_TEST_CONTEXT(p->name) BOOST_TEST((of_keys || largest > 1e-6));
    }
    auto const report = check_gradient([&] { return model.loss(b.x, b.y); }, arrays);
    BOOST_TEST_CONTEXT(config["model_type"] << ": " << report.line()) BOOST_TEST(report.worst < 1e-6);
}

/// The float kernels against the reference: loss, and gradients by every parameter's typical size.
void check_on_cpu(json const& config, decoder_policy<cpu> const& policy, decoder_policy<ref> const& exact_policy) {
    attnlab::trained_decoder<ref> exact(described(config), exact_policy, run);
    attnlab::trained_decoder<cpu> fast(described(config), policy, run);
    fill(exact.parameters()), fill(fast.parameters());
    small_batch const b;
    auto const expected = exact.loss_and_gradient(b.x, b.y);
    BOOST_TEST(fast.loss_and_gradient(b.x, b.y) == expected, boost::test_tools::tolerance(1e-5));
    for (auto const& p : exact.parameters()) {
        double squares = 0, worst = 0;
        for (double e : p->gradient) squares += e * e;
        double const typical = std::sqrt(squares / static_cast<double>(p->size())) + 1e-3;
        auto const& found = fast.parameters().at(p->name).gradient;
        for (std::size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(found[i]) - p->gradient[i]) / typical);
        BOOST_TEST_CONTEXT(p->name) BOOST_TEST(worst < 3e-4);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(gradients) {
    auto const plain = make_decoder_policy<score_form::plain, softmax_policy, ref>(), bias = make_decoder_policy<score_form::plain, bias_policy, ref>();
    check_gradients(of_width_6("llama", {{"num_key_value_heads", 1}, {"attention_bias", true}}), bias);
    auto again = run;
    again.recompute = true;
    check_gradients(of_width_6("mistral", {{"sliding_window", 2}}), plain, again);
    check_gradients(of_width_6("qwen2", {{"tie_word_embeddings", true}}), plain);
    check_gradients(of_width_6("qwen3", {{"head_dim", 6}, {"num_key_value_heads", 1}}), plain);
    check_gradients(of_width_6("gpt_neox", {{"rotary_pct", 0.5}}), bias);
    check_gradients(of_width_6("gpt_neox", {{"rotary_pct", 0.5}, {"use_parallel_residual", false}}), plain);
    check_gradients(of("opt", {{"ffn_dim", 6}, {"word_embed_proj_dim", 8}}), bias);
    check_gradients(opt_350m, plain);
    check_gradients(of_width_6("phi", {{"partial_rotary_factor", 0.5}}), plain);
    check_gradients(of_width_6("phi3", {{"original_max_position_embeddings", 16}}), plain);
    check_gradients(of_width_6("olmo2"), plain);
    check_gradients(granite, plain);
    check_gradients(of_width_6("gemma3_text", {{"head_dim", 4}, {"sliding_window", 2}, {"sliding_window_pattern", 2}, {"query_pre_attn_scalar", 3}}), plain);
    check_gradients(of_width_6("cohere"), plain);
    check_gradients(of("falcon", {{"ffn_hidden_size", 6}, {"num_kv_heads", 1}}), plain);
}

BOOST_AUTO_TEST_CASE(gradients_through_what_families_do_to_scores) {
    auto const alibi = make_decoder_policy<score_form::alibi, softmax_policy, ref>();
    check_gradients(of("falcon", {{"alibi", true}, {"ffn_hidden_size", 6}, {"multi_query", false}, {"parallel_attn", false}, {"bias", true}}), alibi);
    check_gradients(mpt, alibi);
    check_gradients({{"model_type", "bloom"}, {"vocab_size", 11}, {"hidden_size", 8}, {"n_layer", 1}, {"n_head", 2}}, alibi);
    check_gradients(gemma2, make_decoder_policy<score_form::capped, softmax_policy, ref>());
}

BOOST_AUTO_TEST_CASE(cpu_against_ref) {
    auto const bias = make_decoder_policy<score_form::plain, bias_policy, ref>();
    auto const bias_on_cpu = make_decoder_policy<score_form::plain, bias_policy, cpu>();
    check_on_cpu(of_width_6("qwen3", {{"head_dim", 6}, {"num_key_value_heads", 1}}), bias_on_cpu, bias);
    check_on_cpu(of_width_6("gpt_neox", {{"rotary_pct", 0.5}}), bias_on_cpu, bias);
    check_on_cpu(of_width_6("phi3", {{"original_max_position_embeddings", 16}, {"sliding_window", 2}}), bias_on_cpu, bias);
    check_on_cpu(gemma2, make_decoder_policy<score_form::capped, softmax_policy, cpu>(), make_decoder_policy<score_form::capped, softmax_policy, ref>());
    check_on_cpu(mpt, make_decoder_policy<score_form::alibi, softmax_policy, cpu>(), make_decoder_policy<score_form::alibi, softmax_policy, ref>());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_trained_is_named) {
    auto const plain = make_decoder_policy<score_form::plain, softmax_policy, ref>();
    auto const refusal = [&](json const& c) { return error_of([&] { attnlab::trained_decoder<ref>(described(c), plain, run); }); };
    BOOST_TEST(refusal(of_width_6("mixtral", {{"num_local_experts", 2}, {"num_experts_per_tok", 1}})).find("mixture of experts") != std::string::npos);
    BOOST_TEST(refusal(of_width_6("gemma2", {{"head_dim", 4}})).find("does to scores") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
