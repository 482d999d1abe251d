// What families make of a config.json: rotation, slopes, windows, what is refused. Numbers are transformers' 5.24, in float32
// (ROPE_INIT_FUNCTIONS, build_mpt_alibi_tensor, build_alibi_tensor); whole models are compared by benchmarks/check_families.py.
#include <string>
#include <vector>

#include <attnlab/io/safetensors.hpp>
#include <attnlab/models/families/families.hpp>

#include "io/folder.hpp"

BOOST_AUTO_TEST_SUITE(families)

using namespace attnlab;

namespace {

/// A family reads names of tensors, not values.
decoder_description described(json const& fields, char const* tensor = "model.embed_tokens.weight") {
    folder const place;
    write_json(place / "config.json", fields);
    std::vector<float> const one{1};
    safetensors_writer w;
    w.add(tensor, {1}, one);
    w.write(place / "model.safetensors");
    return describe_decoder(config_file(place.path), model_folder(place.path));
}
std::string refusal(json const& fields) {
    return error_of([&] { described(fields); });
}

json with(json base, json const& more) {
    base.update(more);
    return base;
}
json const llama{{"model_type", "llama"}, {"vocab_size", 96}, {"hidden_size", 128}, {"intermediate_size", 64}, {"num_hidden_layers", 4}, {"num_attention_heads", 8},
                 {"max_position_embeddings", 131072}};
json of(char const* family, json const& more = json::object()) { return with(with(llama, {{"model_type", family}}), more); }

void near(std::vector<double> const& found, std::vector<double> const& expected, double relative = 2e-6) {
    BOOST_REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) BOOST_TEST(std::abs(found[i] - expected[i]) <= relative * expected[i], "at " << i << ": " << found[i] << ", expected " << expected[i]);
}

rotation_form rotation(json const& scaling) { return described(with(llama, {{"rope_theta", scaling.value("rope_theta", 10000.0)}, {"rope_scaling", scaling}})).rotation; }

}  // namespace

BOOST_AUTO_TEST_CASE(rotation_as_transformers_has_it) {
    near(rotation({{"rope_type", "llama3"}, {"rope_theta", 5e5}, {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 8192}}).frequencies,
         {1, 0.19392276, 0.037606031, 0.0072926651, 0.00052484602, 3.4281024e-05, 6.6478697e-06, 1.2891732e-06});
    json yarn{{"rope_type", "yarn"}, {"rope_theta", 150000.0}, {"factor", 32.0}, {"truncate", false}, {"original_max_position_embeddings", 4096}};
    auto r = rotation(yarn);
    near(r.frequencies, {1, 0.225418, 0.050813273, 0.0067949593, 0.00045648392, 1.8188337e-05, 4.0999785e-06, 9.2420896e-07});
    near({r.factor}, {1.3465735902799727}, 1e-15);
    yarn.erase("truncate");
    r = rotation(with(yarn, {{"mscale", 0.707}, {"mscale_all_dim", 1.0}}));
    near(r.frequencies, {1, 0.225418, 0.050813273, 0.0077554653, 0.00091445434, 1.8188337e-05, 4.0999785e-06, 9.2420896e-07});
    near({r.factor}, {0.9245892963555604}, 1e-15);
    near(rotation({{"type", "linear"}, {"factor", 4.0}}).frequencies, {0.25, 0.079056941, 0.025, 0.0079056947, 0.0024999999, 0.00079056947, 0.00025000001, 7.9056947e-05});
}

BOOST_AUTO_TEST_CASE(rotation_for_long_texts) {
    auto const phi3 = [](json const& longer) {
        return of("phi3", {{"hidden_size", 64}, {"original_max_position_embeddings", 4096},
                           {"rope_scaling", {{"type", "longrope"}, {"short_factor", {1.0, 1.1, 1.2, 1.3}}, {"long_factor", longer}}}});
    };
    auto const r = described(phi3({1, 2, 4, 8})).rotation;
    near(r.of_length(4096), {1, 0.090909094, 0.0083333328, 0.00076923077});
    near(r.of_length(4097), {1, 0.050000001, 0.0024999999, 0.00012500001});
    near({r.factor}, {1.1902380714238083}, 1e-15);
    BOOST_TEST(names(refusal(phi3({1, 2, 4})), "config.json", "'long_factor'", "expected 4"));

    auto const dynamic = described(with(llama, {{"max_position_embeddings", 2048}, {"rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}}}));
    BOOST_TEST((dynamic.refuses_longer && dynamic.longest == 2048));
}

BOOST_AUTO_TEST_CASE(slopes_of_five_heads) {
    json const mpt{{"model_type", "mpt"}, {"vocab_size", 96}, {"d_model", 40}, {"n_layers", 1}, {"n_heads", 5}, {"attn_config", {{"alibi", true}, {"clip_qkv", 6.0}}}};
    auto const m = described(mpt);
    near(m.slopes, {0.25, 0.0625, 0.015625, 0.00390625, 0.5});
    BOOST_TEST((m.slopes_from_end && m.clip_qkv == 6 && m.slopes_scale == 0));

    json const falcon{{"model_type", "falcon"}, {"vocab_size", 96}, {"hidden_size", 96}, {"num_hidden_layers", 1}, {"num_attention_heads", 12}, {"alibi", true},
                      {"multi_query", false}, {"parallel_attn", false}, {"bias", true}};
    auto const f = described(falcon);   // of bfloat16
    near(f.slopes, {0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625, 0.70703125, 0.353515625, 0.1767578125, 0.08837890625}, 0);
    near({f.slopes_scale}, {1 / std::sqrt(8.0)}, 1e-15);
    BOOST_TEST(f.rotation.frequencies.empty());

    json const bloom{{"model_type", "bloom"}, {"vocab_size", 96}, {"hidden_size", 96}, {"n_layer", 1}, {"n_head", 12}};
    near({described(bloom).slopes[8]}, {std::exp2(-0.5)}, 1e-15);
    BOOST_TEST(described(bloom, "transformer.word_embeddings.weight").block == "transformer.h.");
}

BOOST_AUTO_TEST_CASE(windows_of_layers) {
    using list = std::vector<index_t>;
    auto const windows = [](json const& fields) { return described(fields).windows; };
    BOOST_TEST(windows(of("mistral", {{"sliding_window", 9}})) == list({9, 9, 9, 9}), boost::test_tools::per_element());
    BOOST_TEST(windows(of("mistral", {{"sliding_window", nullptr}})).empty());
    BOOST_TEST(windows(of("mistral")) == list({4096, 4096, 4096, 4096}), boost::test_tools::per_element());
    BOOST_TEST(windows(of("qwen2", {{"sliding_window", 9}, {"use_sliding_window", false}})).empty());
    BOOST_TEST(windows(of("qwen2", {{"sliding_window", 9}, {"use_sliding_window", true}, {"max_window_layers", 3}})) == list({0, 0, 0, 9}), boost::test_tools::per_element());
    BOOST_TEST(windows(of("gemma2", {{"sliding_window", 9}})) == list({9, 0, 9, 0}), boost::test_tools::per_element());
    BOOST_TEST(windows(of("gemma3_text", {{"sliding_window", 9}, {"sliding_window_pattern", 3}})) == list({9, 9, 0, 9}), boost::test_tools::per_element());
    json const types{{"sliding_window", 9}, {"layer_types", {"full_attention", "full_attention", "sliding_attention", "full_attention"}}};
    BOOST_TEST(windows(of("gemma2", types)) == list({0, 0, 9, 0}), boost::test_tools::per_element());
    BOOST_TEST(names(refusal(of("mistral", {{"sliding_window", 9}, {"layer_types", {"full_attention"}}})), "config.json", "'layer_types'", "num_hidden_layers (4)"));
    BOOST_TEST(names(refusal(of("mistral", {{"layer_types", {"linear_attention", "x", "x", "x"}}})), "'layer_types'", "linear_attention"));
}

BOOST_AUTO_TEST_CASE(null_turns_caps_off) {
    auto const d = described(of("gemma2", {{"attn_logit_softcapping", nullptr}, {"final_logit_softcapping", nullptr}}));
    BOOST_TEST((d.score_cap == 0 && d.logit_cap == 0));
    BOOST_TEST((described(of("gemma2")).score_cap == 50 && described(of("gemma2")).logit_cap == 30));
    BOOST_TEST((described(of("gemma3_text")).score_cap == 0));
}

BOOST_AUTO_TEST_CASE(fields_of_published_files_pass) {
    described(with(llama, {{"is_llama_config", true}, {"rope_interleaved", false}, {"pretraining_tp", 1}}));
    auto const oss = described(of("gpt_oss", {{"num_local_experts", 8}, {"experts_per_token", 2}, {"initial_context_length", 4096}, {"swiglu_limit", 7.0},
                                              {"quantization_config", {{"quant_method", "mxfp4"}, {"modules_to_not_convert", {"lm_head"}}}},
                                              {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 32.0}, {"truncate", false}, {"original_max_position_embeddings", 4096}}}}));
    BOOST_TEST((oss.mixture.chosen == 2 && oss.windows[0] == 128 && oss.windows[1] == 0));
    described(of("phi3", {{"full_attn_mod", 1}, {"interpolate_factor", 1}, {"lm_head_bias", false}, {"original_max_position_embeddings", 4096}}));
    auto const smol = described(of("smollm3", {{"no_rope_layers", {1, 1, 0, 1}}, {"max_window_layers", 28}, {"use_sliding_window", false}}));
    BOOST_TEST((smol.rotates(1) && !smol.rotates(2)));
}

// transformers' _convert_moe_packed_tensors: the low half of a byte first, times 2^(scale - 127).
BOOST_AUTO_TEST_CASE(mxfp4) {
    double const values[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
    std::vector<std::byte> packed, exponents{std::byte{128}, std::byte{120}};
    std::vector<double> expected;
    for (int row = 0; row < 2; ++row)
        for (int low = 0; low < 16; ++low) {
            int const high = (5 * low + 3 + row) % 16;
            packed.push_back(static_cast<std::byte>(low | high << 4));
            for (int v : {low, high}) expected.push_back(std::ldexp(values[v], row == 0 ? 1 : -7));
        }
    stored_tensor t{"w", dtype::f4, {2, 32}, packed};
    t.scales = std::make_shared<stored_tensor const>(stored_tensor{"w_scales", dtype::u8, {2, 1}, exponents});
    std::vector<double> found(64), part(40), second(32);
    t.read(found.data(), 0, 64);
    t.read(part.data(), 3, 40);
    t.slice(1).read(second.data(), 0, 32);
    BOOST_TEST(found == expected, boost::test_tools::per_element());
    BOOST_TEST(part == std::vector<double>(expected.begin() + 3, expected.begin() + 43), boost::test_tools::per_element());
    BOOST_TEST(second == std::vector<double>(expected.begin() + 32, expected.end()), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(refusals_name_file_and_field) {
    BOOST_TEST(names(refusal(of("rwkv")), "config.json", "'model_type'", "rwkv", "llama"));
    BOOST_TEST(names(refusal(with(llama, {{"num_attention_heads", 7}})), "'num_attention_heads'", "hidden_size (128)"));
    BOOST_TEST(names(refusal(with(llama, {{"num_key_value_heads", 3}})), "'num_key_value_heads'", "num_attention_heads (8)"));
    BOOST_TEST(names(refusal(with(llama, {{"hidden_act", "mish"}})), "'hidden_act'", "mish"));
    BOOST_TEST(names(refusal(with(llama, {{"residual_multiplier", 0.22}})), "'residual_multiplier'", "changes results"));
    BOOST_TEST(names(refusal(with(llama, {{"a_new_choice", "x"}})), "'a_new_choice'", "unknown"));
    BOOST_TEST(names(refusal(with(llama, {{"quantization_config", {{"quant_method", "gptq"}}}})), "'quantization_config'"));
    BOOST_TEST(names(refusal(of("gpt_oss", {{"num_local_experts", 8}})), "'rope_scaling'", "missing"));
    BOOST_TEST(names(refusal(of("qwen3_moe", {{"num_experts", 8}, {"mlp_only_layers", {1}}})), "'mlp_only_layers'"));
    BOOST_TEST(names(refusal(of("stablelm", {{"qk_layernorm", true}})), "'qk_layernorm'"));
    BOOST_TEST(names(refusal(of("granite", {{"logits_scaling", 0}})), "'logits_scaling'", "more than 0"));
    auto without = llama;
    without.erase("intermediate_size");
    BOOST_TEST(names(refusal(without), "config.json", "'intermediate_size'", "missing"));
}

BOOST_AUTO_TEST_SUITE_END()
