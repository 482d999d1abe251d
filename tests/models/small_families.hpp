#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include <attnlab/core/rng.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/models/config.hpp>
#include <attnlab/models/families/families.hpp>

#include "io/folder.hpp"

/// \file
/// Families of a few numbers a tensor, as their config.json says them, to be trained for a step.

namespace attnlab::testing {

/// A family reads names of tensors, not values.
inline decoder_description described(json const& fields) {
    folder const place;
    write_json(place / "config.json", fields);
    std::vector<float> const one{1};
    safetensors_writer w;
    w.add("none", {1}, one);
    w.write(place / "model.safetensors");
    return describe_decoder(config_file(place.path), model_folder(place.path));
}

inline json with(json base, json const& more) {
    base.update(more);
    return base;
}
inline json of(char const* family, json const& more = json::object()) {
    return with({{"model_type", family}, {"vocab_size", 11}, {"hidden_size", 8}, {"num_hidden_layers", 2}, {"num_attention_heads", 2}, {"max_position_embeddings", 16}}, more);
}
inline json of_width_6(char const* family, json const& more = json::object()) { return of(family, with({{"intermediate_size", 6}}, more)); }

inline json const gemma2 = of_width_6("gemma2", {{"head_dim", 4}, {"sliding_window", 2}, {"query_pre_attn_scalar", 3}, {"attn_logit_softcapping", 1.5},
                                                 {"final_logit_softcapping", 2.0}});
inline json const mpt{{"model_type", "mpt"}, {"vocab_size", 11}, {"d_model", 8}, {"n_layers", 2}, {"n_heads", 2}, {"expansion_ratio", 1}, {"max_seq_len", 16}, {"no_bias", true},
                      {"attn_config", {{"alibi", true}, {"clip_qkv", 0.9}}}};
inline json const granite = of_width_6("granite", {{"residual_multiplier", 0.5}, {"embedding_multiplier", 3.0}, {"logits_scaling", 2.0}, {"attention_multiplier", 0.3}});
/// OPT-350m's norms after the sums, and its projections.
inline json const opt_350m = of("opt", {{"ffn_dim", 6}, {"do_layer_norm_before", false}, {"word_embed_proj_dim", 4}, {"layer_norm_elementwise_affine", false}});

inline gpt_config const run{.block_size = 5, .init_std = 0.3};

template <class S>
void fill(parameter_list<S>& parameters) {
    parameters.allocate();
    parameters.initialize(3);
    for (auto const& p : parameters)
        for (std::size_t i = 0; i < p->value.size(); ++i)
            p->value[i] += static_cast<S>(static_cast<float>(0.3 * rng::normal(rng::stream(4, p->name), i)));
}

struct small_batch {
    tensor<std::int32_t, 2> x{{2, 5}}, y{{2, 5}};
    small_batch() {
        for (index_t i = 0; i < 10; ++i) x.data()[i] = static_cast<std::int32_t>((3 * i + i * i) % 11), y.data()[i] = static_cast<std::int32_t>((5 * i + 1) % 11);
        y(1, 0) = -1;
    }
};

}  // namespace attnlab::testing
