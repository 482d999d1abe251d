// config.json: fields of the wrong kind, fields that nobody read, both styles of rotation.
#include <string>
#include <vector>

#include <attnlab/models/config_file.hpp>
#include <attnlab/models/rope_config.hpp>

#include "io/folder.hpp"

BOOST_AUTO_TEST_SUITE(config_files)

using namespace attnlab;

namespace {

struct config {
    folder place;
    config_file file;
    explicit config(json const& fields) : file(written(fields)) {}

private:
    std::filesystem::path written(json const& fields) const {
        write_json(place / "config.json", fields);
        return place.path;
    }
};

std::string unread_of(json const& fields) {
    config const c(fields);
    return error_of([&] { c.file.check_all_read(); });
}
void passes(json const& fields) { config(fields).file.check_all_read(); }

rope_config rope_of(json const& fields) {
    config const c(fields);
    auto const out = read_rope(c.file);
    c.file.check_all_read();
    return out;
}
std::string rope_refusal(json const& fields) {
    return error_of([&] { rope_of(fields); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(fields_have_kinds_and_ranges) {
    config const c({{"model_type", "llama"}, {"hidden_size", 64}, {"eps", 1e-6}, {"whole", 3}, {"tied", true}, {"layer_types", {"a", "b"}}, {"nothing", nullptr}});
    auto const& f = c.file;
    BOOST_TEST(f.family() == "llama");
    BOOST_TEST(f.integer("hidden_size") == 64);
    BOOST_TEST(f.integer_or("nothing", 7) == 7);
    BOOST_TEST(f.integer_or("absent", 0) == 0);  // what the caller takes is not held to the range
    BOOST_TEST(f.number("eps") == 1e-6);
    BOOST_TEST(f.number("whole") == 3);
    BOOST_TEST(f.flag_or("tied", false));
    BOOST_TEST(f.word_or("nothing", "gelu") == "gelu");
    BOOST_TEST(f.words("layer_types").size() == 2u);
    BOOST_TEST(f.words("nothing").empty());
    BOOST_TEST(!f.has("nothing"));

    auto const refusal = [](std::string const& name, json const& value) {
        config const wrong(json{{name, value}});
        return error_of([&] { wrong.file.integer(name); });
    };
    BOOST_TEST(names(refusal("hidden_size", "sixteen"), "config.json", "'hidden_size'", "whole number", "sixteen"));
    BOOST_TEST(names(refusal("hidden_size", 1099511627776), "config.json", "'hidden_size'", "1099511627776", "1 to 16777216"));
    for (json const& value : {json(0), json(-1), json(1.5), json(true), json(18446744073709551615u), json(json::array()), json(nullptr)})
        BOOST_TEST(names(refusal("n_layer", value), "config.json", "'n_layer'"));
    BOOST_TEST(names(error_of([&] { f.integer("num_attention_heads"); }), "config.json", "'num_attention_heads'", "missing"));
    BOOST_TEST(names(error_of([&] { f.number("tied"); }), "'tied'", "a number"));
    BOOST_TEST(names(error_of([&] { f.flag("hidden_size"); }), "'hidden_size'", "true or false"));
    BOOST_TEST(names(error_of([&] { f.word("hidden_size"); }), "'hidden_size'", "a text"));
    BOOST_TEST(names(error_of([&] { config(json{{"eps", "inf"}}).file.number("eps"); }), "'eps'", "finite"));
    BOOST_TEST(names(error_of([&] { f.section("tied"); }), "'tied'", "an object"));
}

BOOST_AUTO_TEST_CASE(what_is_no_object_is_no_config) {
    folder const f;
    for (auto const* bad : {"", "[]", "3", "{", "{\"a\": 1, \"a\": 2}"}) {
        f.write("config.json", bad);
        BOOST_TEST(names(error_of([&] { config_file{f.path}; }), "config.json"));
    }
    BOOST_TEST(names(error_of([&] { config_file{f / "none"}; }), "none"));
}

BOOST_AUTO_TEST_CASE(a_field_that_changes_results_is_not_passed_over) {
    BOOST_TEST(names(unread_of({{"quantization_config", {{"bits", 4}}}}), "config.json", "'quantization_config'", "changes results"));
    BOOST_TEST(names(unread_of({{"attention_bias", true}}), "'attention_bias': true"));
    BOOST_TEST(names(unread_of({{"sliding_window", 4096}}), "'sliding_window': 4096"));
    BOOST_TEST(names(unread_of({{"use_parallel_residual", false}}), "'use_parallel_residual': false"));
    BOOST_TEST(names(unread_of({{"scale_attn_weights", false}}), "'scale_attn_weights'"));
    BOOST_TEST(names(unread_of({{"a_new_scale", 0.5}}), "'a_new_scale': 0.5", "unknown"));
    passes({{"attention_bias", false}, {"scale_attn_weights", true}, {"sliding_window", nullptr}, {"rope_scaling", nullptr}});
    passes({{"use_cache", true}, {"architectures", {"X"}}, {"torch_dtype", "float16"}, {"bos_token_id", 1}, {"resid_pdrop", 0.1}});
    passes({{"a_new_flag", false}, {"a_new_list", json::array()}, {"a_new_rate", 0.0}, {"vision_start_token_id", 5}});

    config const c({{"sliding_window", 8}, {"quantization_config", {{"bits", 4}, {"kind", "x"}}}, {"act", "silu"}});
    c.file.ignore({"sliding_window"});
    BOOST_TEST(c.file.section("quantization_config").integer("bits") == 4);
    c.file.expect("act", "silu");
    BOOST_TEST(names(error_of([&] { c.file.check_all_read(); }), "config.json: quantization_config", "'kind'"));
    c.file.section("quantization_config").word("kind");
    c.file.check_all_read();
    BOOST_TEST(names(error_of([&] { c.file.expect("act", "gelu"); }), "'act': \"silu\": expected \"gelu\""));
}

BOOST_AUTO_TEST_CASE(rotation_in_both_styles) {
    json const llama3{{"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 64}, {"rope_type", "llama3"}};
    auto current_fields = llama3;
    current_fields["rope_theta"] = 5000.0;
    for (auto const& r : {rope_of({{"rope_theta", 5000}, {"rope_scaling", llama3}}), rope_of({{"rope_parameters", current_fields}})}) {
        BOOST_TEST(r.theta == 5000);
        BOOST_TEST((r.scaling == rope_scaling::llama3));
        BOOST_TEST(r.factor == 8);
        BOOST_TEST(r.original_length == 64);
        BOOST_TEST(r.high_frequency == 4);
    }
    BOOST_TEST((rope_of({{"rope_scaling", nullptr}}).scaling == rope_scaling::none));
    BOOST_TEST((rope_of({{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}}).scaling == rope_scaling::linear));
    BOOST_TEST(rope_of({{"rope_parameters", {{"rope_theta", 1e4}, {"partial_rotary_factor", 0.25}, {"rope_type", "default"}}}}).partial == 0.25);
    auto const yarn = rope_of({{"max_position_embeddings", 131072}, {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 32}, {"beta_fast", 32.0}, {"beta_slow", 1.0}, {"truncate", false}, {"original_max_position_embeddings", 4096}}}});
    BOOST_TEST((yarn.scaling == rope_scaling::yarn && yarn.original_length == 4096 && !yarn.truncate));

    BOOST_TEST(names(rope_refusal({{"rope_scaling", {{"rope_type", "proportional"}, {"factor", 2}}}}), "config.json: rope_scaling", "'rope_type'", "proportional"));
    BOOST_TEST(names(rope_refusal({{"rope_scaling", {{"rope_type", "linear"}}}}), "rope_scaling", "'factor'", "missing"));
    BOOST_TEST(names(rope_refusal({{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 2}, {"original_max_position_embeddings", 8}, {"a_new_scale", 0.7}}}}), "rope_scaling", "'a_new_scale'"));
    BOOST_TEST(names(rope_refusal({{"rope_theta", 0}}), "'rope_theta'"));
    BOOST_TEST(names(rope_refusal({{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}, {"rope_parameters", {{"rope_type", "default"}}}}), "rope_parameters"));
}

BOOST_AUTO_TEST_SUITE_END()
