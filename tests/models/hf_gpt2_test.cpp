// GPT-2 folders of Hugging Face, written here: what is read, and what is refused.
#include <memory>
#include <string>
#include <vector>

#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/hf_gpt2.hpp>

#include "io/folder.hpp"

// The suite is named apart: attnlab's functions bear the header's name.
BOOST_AUTO_TEST_SUITE(hf_gpt2_folder)

using namespace attnlab;

namespace {

using policy = attention<causal, softmax>;

json config() {
    return {{"model_type", "gpt2"}, {"activation_function", "gelu_new"},
            {"n_layer", 2},         {"n_head", 2},
            {"n_embd", 8},          {"n_positions", 10},
            {"vocab_size", 9},      {"layer_norm_epsilon", 1e-6},
            {"n_inner", nullptr},   {"attn_pdrop", 0.1}};
}

/// A config.json beside weights that nobody looks at.
void write_config(folder const& place, json const& c) {
    std::vector<float> const one{1};
    safetensors_writer w;
    w.add("none", {1}, one);
    w.write(place / "model.safetensors");
    write_json(place / "config.json", c);
}

/// Row-major (rows, columns) as (columns, rows).
std::vector<float> transposed(std::vector<float> const& from, index_t rows, index_t columns) {
    std::vector<float> to(from.size());
    for (index_t r = 0; r < rows; ++r)
        for (index_t c = 0; c < columns; ++c) to[static_cast<std::size_t>(c * rows + r)] = from[static_cast<std::size_t>(r * columns + c)];
    return to;
}

/// A folder of a model with random weights, as Hugging Face would write it.
struct checkpoint {
    folder place;
    std::unique_ptr<gpt<policy, cpu>> model;
    std::vector<std::string> names;
    std::vector<std::vector<index_t>> shapes;
    std::vector<std::vector<float>> values;

    checkpoint() {
        write_config(place, config());
        model = std::make_unique<gpt<policy, cpu>>(read_hf_gpt2_config(place.path));
        model->parameters().initialize(7);
        for (auto const& p : model->parameters()) {
            names.push_back(p->name);
            shapes.push_back(p->shape);
            values.emplace_back(p->value.begin(), p->value.end());
            if (hf_gpt2_transposes(p->name)) {
                values.back() = transposed(values.back(), p->shape[0], p->shape[1]);
                shapes.back() = {p->shape[1], p->shape[0]};
            }
        }
        write();
    }
    void write(std::string const& without_prefix = "") {
        safetensors_writer out;
        for (std::size_t i = 0; i < names.size(); ++i)
            out.add(names[i].substr(without_prefix.size()), shapes[i], std::span<float const>(values[i]));
        out.write(place / "model.safetensors");
    }
    std::size_t at(std::string const& name) const {
        return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    }
    void remove(std::string const& name) {
        auto const i = static_cast<std::ptrdiff_t>(at(name));
        names.erase(names.begin() + i), shapes.erase(shapes.begin() + i), values.erase(values.begin() + i);
    }
    std::unique_ptr<gpt<policy, cpu>> load() const { return load_hf_gpt2<policy, cpu>(place.path); }
    std::string refusal() const {
        return error_of([&] { load(); });
    }
    bool holds_the_model() const {
        auto const loaded = load();
        for (auto const& p : model->parameters()) {
            auto const& q = loaded->parameters().at(p->name).value;
            if (!std::equal(p->value.begin(), p->value.end(), q.begin(), q.end())) return false;
        }
        return true;
    }
};

/// The refusal of a config.json with one field changed.
std::string refusal_of(std::string const& name, json const& value) {
    folder const place;
    auto c = config();
    c[name] = value;
    write_config(place, c);
    return error_of([&] { read_hf_gpt2_config(place.path); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_config_is_read) {
    folder const place;
    auto c = config();
    write_config(place, c);
    auto const g = read_hf_gpt2_config(place.path);
    BOOST_TEST((g.n_layer == 2 && g.n_head == 2 && g.n_embd == 8 && g.block_size == 10 && g.vocab_size == 9));
    BOOST_TEST((g.bias && g.tied && g.layer_norm_eps == 1e-6 && g.gelu == gelu_form::tanh));
    c["activation_function"] = "gelu";
    c["n_inner"] = 32;
    c["scale_attn_weights"] = true;
    c.erase("layer_norm_epsilon");
    write_json(place / "config.json", c);
    BOOST_TEST((read_hf_gpt2_config(place.path).gelu == gelu_form::exact));
    BOOST_TEST(read_hf_gpt2_config(place.path).layer_norm_eps == 1e-5);
}

BOOST_AUTO_TEST_CASE(fields_that_would_change_results_are_refused) {
    BOOST_TEST(names(refusal_of("activation_function", "relu"), "config.json", "activation_function", "gelu_new"));
    BOOST_TEST(
        names(refusal_of("scale_attn_by_inverse_layer_idx", true), "config.json", "scale_attn_by_inverse_layer_idx", "false"));
    BOOST_TEST(names(refusal_of("scale_attn_weights", false), "config.json", "scale_attn_weights", "true"));
    BOOST_TEST(names(refusal_of("add_cross_attention", true), "config.json", "add_cross_attention"));
    BOOST_TEST(names(refusal_of("tie_word_embeddings", false), "config.json", "tie_word_embeddings"));
    BOOST_TEST(names(refusal_of("n_inner", 16), "config.json", "n_inner", "16"));
    BOOST_TEST(names(refusal_of("model_type", "llama"), "config.json", "model_type"));
}

BOOST_AUTO_TEST_CASE(wrong_sizes_are_refused) {
    BOOST_TEST(names(refusal_of("n_embd", 7), "config.json", "n_embd"));
    BOOST_TEST(names(refusal_of("n_layer", 0), "config.json", "n_layer"));
    BOOST_TEST(names(refusal_of("vocab_size", "nine"), "config.json", "vocab_size"));
    BOOST_TEST(names(refusal_of("n_positions", nullptr), "config.json", "n_positions"));
    BOOST_TEST(names(refusal_of("layer_norm_epsilon", 0), "config.json", "layer_norm_eps"));
    folder const nothing;
    BOOST_TEST(names(error_of([&] { read_hf_gpt2_config(nothing.path); }), "config.json"));
}

BOOST_AUTO_TEST_CASE(weights_are_transposed_and_the_rest_is_not) {
    checkpoint c;
    BOOST_TEST(c.holds_the_model());
    // The fixture of this test would pass with no transposition on either side.
    BOOST_TEST((c.shapes[c.at("transformer.h.0.attn.c_attn.weight")] == std::vector<index_t>{8, 24}));
    BOOST_TEST((c.shapes[c.at("transformer.wte.weight")] == std::vector<index_t>{9, 8}));
    BOOST_TEST(c.values[c.at("transformer.h.1.mlp.c_fc.weight")][1] ==
               c.model->parameters().at("transformer.h.1.mlp.c_fc.weight").value[8]);
}

BOOST_AUTO_TEST_CASE(names_without_their_prefix_are_read) {
    checkpoint c;
    c.write("transformer.");
    BOOST_TEST(c.holds_the_model());
}

BOOST_AUTO_TEST_CASE(masks_and_the_tied_head_may_be_there) {
    checkpoint c;
    c.names.insert(c.names.end(), {"transformer.h.0.attn.bias", "lm_head.weight"});
    c.shapes.insert(c.shapes.end(), {{1, 1, 2, 2}, {9, 8}});
    c.values.insert(c.values.end(), {std::vector<float>(4, 1), c.values[c.at("transformer.wte.weight")]});
    c.write();
    BOOST_TEST(c.holds_the_model());
}

BOOST_AUTO_TEST_CASE(a_missing_tensor_is_named) {
    checkpoint c;
    c.remove("transformer.h.1.ln_2.bias");
    c.write();
    BOOST_TEST(names(c.refusal(), "model.safetensors", "transformer.h.1.ln_2.bias"));
    std::filesystem::remove(c.place / "model.safetensors");
    BOOST_TEST(names(c.refusal(), "model.safetensors"));
}

BOOST_AUTO_TEST_CASE(a_tensor_of_another_shape_is_named) {
    checkpoint c;
    auto const i = c.at("transformer.h.0.mlp.c_fc.weight");
    std::swap(c.shapes[i][0], c.shapes[i][1]);
    c.write();
    BOOST_TEST(names(c.refusal(), "model.safetensors", "transformer.h.0.mlp.c_fc.weight", "(32, 8)", "(8, 32)"));
}

BOOST_AUTO_TEST_CASE(a_tensor_nobody_reads_is_named) {
    checkpoint c;
    auto config_of_one_layer = config();
    config_of_one_layer["n_layer"] = 1;
    write_json(c.place / "config.json", config_of_one_layer);
    BOOST_TEST(names(c.refusal(), "model.safetensors", "transformer.h.1."));
}

BOOST_AUTO_TEST_CASE(absurd_sizes_take_no_memory) {
    checkpoint c;
    for (auto const& [field, size] : std::vector<std::pair<std::string, std::int64_t>>{{"vocab_size", std::int64_t{1} << 50},
                                                                                       {"n_positions", std::int64_t{1} << 50},
                                                                                       {"n_layer", std::int64_t{1} << 50},
                                                                                       {"n_embd", std::int64_t{1} << 61}}) {
        auto absurd = config();
        absurd[field] = size;
        write_json(c.place / "config.json", absurd);
        BOOST_TEST_CONTEXT(field) BOOST_TEST(names(c.refusal(), "config.json", field));
    }
    auto large = config();
    large["vocab_size"] = 1 << 24;
    write_json(c.place / "config.json", large);
    BOOST_TEST(names(c.refusal(), "model.safetensors", "transformer.wte.weight"));
}

BOOST_AUTO_TEST_SUITE_END()
