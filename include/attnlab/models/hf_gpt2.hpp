#pragma once
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/models/families/gpt2.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/models/trained/load.hpp>

/// \file
/// A Hugging Face GPT-2 folder as a gpt: read as every family is, its Conv1D weights turned. The names are the same.

namespace attnlab {

/// Whether the file keeps this weight as (in, out), as Conv1D does; gpt keeps (out, in).
inline bool hf_gpt2_transposes(std::string_view name) {
    return name.ends_with("c_attn.weight") || name.ends_with("c_proj.weight") || name.ends_with("c_fc.weight");
}

namespace detail {

/// The folder of a GPT-2 that a gpt can be: tensors are asked for by gpt's names. The first checkpoints leave "transformer." out.
class hf_gpt2_folder {
public:
    /// \throws error that names the file and the field, for a missing size and for a choice that would change results
    explicit hf_gpt2_folder(std::filesystem::path const& path) : config_(path), files_(path) {
        auto const family = config_.family();
        require(family == "gpt2", config_.where(), ": field 'model_type': '", family, "': expected gpt2");
        d_ = describe_gpt2(config_, files_);
        config_.check_all_read();
        bare_ = d_.embedding == "wte.weight";
    }

    /// In which field it is no GPT of attnlab's own, and what that would be; empty: it is one.
    std::string misfit() const {
        if (!is_tanh() && d_.act != activation::gelu) return "field 'activation_function': expected gelu_new or gelu";
        if (d_.mlp_width != 4 * d_.width)
            return text("field 'n_inner': ", d_.mlp_width, ": expected 4 times n_embd, ", 4 * d_.width);
        return d_.head.empty() ? "" : "field 'tie_word_embeddings': false: expected true";
    }

    /// Its sizes and choices. \throws error that names the field that a gpt does not have so
    gpt_config config() const {
        if (auto const what = misfit(); !what.empty()) fail(config_.where(), ": ", what);
        gpt_config out;
        out.n_layer = d_.layers, out.n_head = d_.heads, out.n_embd = d_.width, out.block_size = d_.longest,
        out.vocab_size = d_.vocabulary;
        out.layer_norm_eps = d_.norm.eps, out.bias = true, out.gelu = is_tanh() ? gelu_form::tanh : gelu_form::exact;
        try {
            out.check();
        } catch (error const& e) {
            fail(config_.where(), ": ", e.what());
        }
        return out;
    }

    /// So many and such tensors, before memory is taken for them. \throws error
    void check_sizes() const {
        (void)files_.tensor(stored("transformer.wte.weight"), {d_.vocabulary, d_.width});
        (void)files_.tensor(stored("transformer.wpe.weight"), {d_.longest, d_.width});
        for (index_t l = 0; l < d_.layers; ++l) (void)files_.tensor(d_.prefix(l) + "attn.c_attn.bias", {3 * d_.width});
    }

    /// Fills what the folder has; gives back the names of what it has not, the attention's own. Of a longer table of positions
    /// the first are taken. \throws error for a tensor that is missing, of another shape, or nobody's
    template <class T>
    std::vector<std::string> read(parameter_list<T> const& parameters) const {
        std::vector<std::string> fresh;
        for (auto const& p : parameters) {
            auto const name = stored(p->name);
            bool const of_attention = p->name.find(".attn.") != p->name.npos && p->name.find(".attn.c_") == p->name.npos;
            if (of_attention && !files_.has(name)) {
                fresh.push_back(p->name);
                continue;
            }
            auto shape = p->shape;
            if (p->name == "transformer.wpe.weight") shape.front() = std::max(shape.front(), d_.longest);
            if (hf_gpt2_transposes(p->name))
                read_turned(files_.tensor(name, {shape[1], shape[0]}), p->value);
            else
                files_.tensor(name, shape).read(p->value.data(), 0, p->size());
        }
        for (auto const& name : files_.unread())
            require(name == "lm_head.weight", files_.source().string(), ": tensor '", name,
                    "': expected the tensors of a GPT-2 with the layers of config.json only");
        return fresh;
    }

private:
    bool is_tanh() const { return d_.act == activation::gelu_tanh; }
    std::string stored(std::string const& name) const {
        return bare_ ? name.substr(std::string_view("transformer.").size()) : name;
    }

    config_file config_;
    model_folder files_;
    decoder_description d_;
    bool bare_ = false;
};

}  // namespace detail

/// The sizes and choices of the folder's config.json. \throws error that names the file and the field
inline gpt_config read_hf_gpt2_config(std::filesystem::path const& folder) { return detail::hf_gpt2_folder(folder).config(); }

/// Whether a folder's GPT-2 is a gpt: others are families like any. \throws error as above
inline bool is_plain_gpt2(std::filesystem::path const& folder) { return detail::hf_gpt2_folder(folder).misfit().empty(); }

/// The model of a Hugging Face GPT-2 folder. `Policy` is one without parameters of its own, as attention<causal, softmax>.
/// \throws error that names the file and the field or tensor
template <class Policy, class Device>
std::unique_ptr<gpt<Policy, Device>> load_hf_gpt2(std::filesystem::path const& folder) {
    static_assert(Policy::parameter_count == 0, "load_hf_gpt2: a GPT-2 file has no values for the policy's parameters");
    detail::hf_gpt2_folder const from(folder);
    auto const c = from.config();
    from.check_sizes();
    auto model = std::make_unique<gpt<Policy, Device>>(c);
    (void)from.read(model->parameters());
    return model;
}

/// Fills the parameters of a GPT under any attention that a Hugging Face GPT-2 has; gives back the names of those it does not
/// have, the attention's own. \throws error that names the file and the tensor that is missing, of another shape or unknown
template <class T>
std::vector<std::string> load_hf_gpt2_weights(std::filesystem::path const& folder, parameter_list<T> const& parameters) {
    return detail::hf_gpt2_folder(folder).read(parameters);
}

}  // namespace attnlab
