#pragma once
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/models/gpt.hpp>

/// \file
/// A Hugging Face GPT-2 folder (config.json, model.safetensors) as a gpt. The names are the same; Conv1D weights lie the other
/// way.

namespace attnlab {

/// The sizes and choices of the folder's config.json. \throws error that names the file and the field, for a missing size and for
/// a choice that would change results and that gpt does not have
inline gpt_config read_hf_gpt2_config(std::filesystem::path const& folder) {
    std::string const where = (folder / "config.json").string();
    json const c = parse_json(where);
    auto const expect = [&](std::string const& name, bool standard, bool expected) {
        require(field_or<bool>(c, where, name, standard) == expected, where, ": field '", name, "': expected ",
                expected ? "true" : "false", ", the only GPT-2 that attnlab has");
    };
    require(field_or<std::string>(c, where, "model_type", "gpt2") == "gpt2", where, ": field 'model_type': expected gpt2");

    gpt_config out;
    out.n_layer = field<index_t>(c, where, "n_layer");
    out.n_head = field<index_t>(c, where, "n_head");
    out.n_embd = field<index_t>(c, where, "n_embd");
    out.block_size = field<index_t>(c, where, "n_positions");
    out.vocab_size = field<index_t>(c, where, "vocab_size");
    out.layer_norm_eps = field_or<double>(c, where, "layer_norm_epsilon", 1e-5);
    out.bias = true;
    try {
        out.check();
    } catch (error const& e) {
        fail(where, ": ", e.what());
    }

    auto const activation = field_or<std::string>(c, where, "activation_function", "gelu_new");
    bool const tanh = activation == "gelu_new" || activation == "gelu_pytorch_tanh";
    require(tanh || activation == "gelu", where, ": field 'activation_function': '", activation, "': expected gelu_new or gelu");
    out.gelu = tanh ? gelu_form::tanh : gelu_form::exact;
    // Compared without a product, which a size beyond all measure would overflow.
    auto const inner = field_or<index_t>(c, where, "n_inner", 0);
    require(inner == 0 || (inner % 4 == 0 && inner / 4 == out.n_embd), where, ": field 'n_inner': ", inner,
            ": expected 4 times n_embd, ", out.n_embd);
    expect("scale_attn_weights", true, true);
    expect("scale_attn_by_inverse_layer_idx", false, false);
    expect("add_cross_attention", false, false);
    expect("tie_word_embeddings", true, true);
    return out;
}

/// Whether the file keeps this weight as (in, out), as Conv1D does; gpt keeps (out, in).
inline bool hf_gpt2_transposes(std::string_view name) {
    return name.ends_with("c_attn.weight") || name.ends_with("c_proj.weight") || name.ends_with("c_fc.weight");
}

/// Row-major (rows, columns) as (columns, rows).
template <class T>
std::vector<T> transposed(std::vector<T> const& from, index_t rows, index_t columns) {
    std::vector<T> to(from.size());
    for (index_t r = 0; r < rows; ++r)
        for (index_t c = 0; c < columns; ++c)
            to[static_cast<std::size_t>(c * rows + r)] = from[static_cast<std::size_t>(r * columns + c)];
    return to;
}

namespace detail {

/// The weights of a GPT-2 file, asked for by gpt's names. The first checkpoints leave "transformer." out.
class hf_gpt2_file {
public:
    explicit hf_gpt2_file(std::filesystem::path const& path) : file_(path), bare_(file_.contains("wte.weight")) {}

    /// \throws error when the tensor is missing or its shape is not that of the parameter
    void check(std::string const& name, std::vector<index_t> shape) const {
        if (hf_gpt2_transposes(name)) std::reverse(shape.begin(), shape.end());
        auto const& found = file_.at(stored(name)).shape;
        require(found == shape, file_.path().string(), ": tensor '", stored(name), "': shape ", shape_text(found), ": expected ",
                shape_text(shape), " from config.json");
    }

    bool contains(std::string const& name) const { return file_.contains(stored(name)); }

    /// Of a longer table of positions the first are taken.
    template <class T>
    void read(parameter<T>& p) const {
        if (p.name == "transformer.wpe.weight" && file_.at(stored(p.name)).shape.front() > p.shape.front())
            return file_.at(stored(p.name)).read(p.value.data(), 0, p.size());
        check(p.name, p.shape);
        if (!hf_gpt2_transposes(p.name)) return file_.copy_to(stored(p.name), p.value);
        std::vector<T> values(p.value.size());
        file_.copy_to(stored(p.name), std::span<T>(values));
        values = attnlab::transposed(values, p.shape[1], p.shape[0]);
        std::copy(values.begin(), values.end(), p.value.begin());
    }

    /// \throws error for a tensor that is neither one of the parameters nor known to say nothing new (masks, the tied head)
    template <class T>
    void expect_nothing_else(parameter_list<T> const& parameters) const {
        for (auto const& t : file_.tensors()) {
            bool const known =
                std::any_of(parameters.begin(), parameters.end(), [&](auto const& p) { return stored(p->name) == t.name; });
            require(
                known || t.name == "lm_head.weight" || t.name.ends_with(".attn.bias") || t.name.ends_with(".attn.masked_bias"),
                file_.path().string(), ": tensor '", t.name,
                "': expected the tensors of a GPT-2 with the layers of config.json only");
        }
    }

private:
    std::string stored(std::string const& name) const {
        return bare_ ? name.substr(std::string_view("transformer.").size()) : name;
    }

    safetensors_reader file_;
    bool bare_;
};

}  // namespace detail

/// The model of a Hugging Face GPT-2 folder. `Policy` is one without parameters of its own, as attention<causal, softmax>.
/// \throws error that names the file and the field or tensor
template <class Policy, class Device>
std::unique_ptr<gpt<Policy, Device>> load_hf_gpt2(std::filesystem::path const& folder) {
    static_assert(Policy::parameter_count == 0, "load_hf_gpt2: a GPT-2 file has no values for the policy's parameters");
    auto const c = read_hf_gpt2_config(folder);
    detail::hf_gpt2_file const file(folder / "model.safetensors");
    // Sizes are believed, and memory is taken, only when the file is of these sizes.
    file.check("transformer.wte.weight", {c.vocab_size, c.n_embd});
    file.check("transformer.wpe.weight", {c.block_size, c.n_embd});
    for (index_t l = 0; l < c.n_layer; ++l) file.check("transformer.h." + std::to_string(l) + ".attn.c_attn.bias", {3 * c.n_embd});

    auto model = std::make_unique<gpt<Policy, Device>>(c);
    for (auto const& p : model->parameters()) file.read(*p);
    file.expect_nothing_else(model->parameters());
    return model;
}

/// Fills the parameters of a GPT under any attention that a Hugging Face GPT-2 has; gives back the names of those it does not have, the
/// attention's own. \throws error that names the file and the tensor that is missing, of another shape or unknown
template <class T>
std::vector<std::string> load_hf_gpt2_weights(std::filesystem::path const& folder, parameter_list<T> const& parameters) {
    detail::hf_gpt2_file const file(folder / "model.safetensors");
    std::vector<std::string> fresh;
    for (auto const& p : parameters) {
        bool const of_attention = p->name.find(".attn.") != p->name.npos && p->name.find(".attn.c_") == p->name.npos;
        if (of_attention && !file.contains(p->name)) fresh.push_back(p->name);
        else file.read(*p);
    }
    file.expect_nothing_else(parameters);
    return fresh;
}

}  // namespace attnlab
