#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/families/rotation.hpp>
#include <attnlab/models/model_folder.hpp>

/// \file
/// LLaMA (2302.13971) and those built like it: RMSNorm, RoPE, a gated MLP, no biases but where a file says so.

namespace attnlab {

/// What a family assumes of a file that does not say it, as transformers does.
struct llama_defaults {
    double eps = 1e-6, theta = 10000;
    bool tied = false;
    std::string act = "silu", act_field = "hidden_act";
};

/// A decoder like LLaMA's: what its relatives begin with.
inline decoder_description describe_like_llama(config_file const& c, llama_defaults const& otherwise) {
    decoder_description d;
    d.family = c.family();
    read_sizes(c, d);
    d.mlp_width = c.integer("intermediate_size");
    d.norm = {norm_form::kind::rms, c.number_or("rms_norm_eps", otherwise.eps)};
    d.act = read_activation(c, otherwise.act_field, otherwise.act);
    bool const attention_bias = c.flag_or("attention_bias", false), mlp_bias = c.flag_or("mlp_bias", false);
    d.embedding = "model.embed_tokens.weight";
    d.block = "model.layers.";
    d.attention_norm = "input_layernorm", d.mlp_norm = "post_attention_layernorm";
    d.q = {"self_attn.q_proj", attention_bias}, d.k = {"self_attn.k_proj", attention_bias}, d.v = {"self_attn.v_proj", attention_bias};
    d.out = {"self_attn.o_proj", attention_bias};
    d.gate = {"mlp.gate_proj", mlp_bias}, d.up = {"mlp.up_proj", mlp_bias}, d.down = {"mlp.down_proj", mlp_bias};
    d.final_norm = "model.norm";
    if (!c.flag_or("tie_word_embeddings", otherwise.tied)) d.head = "lm_head.weight";
    read_rotation(c, d, {.default_theta = otherwise.theta});
    return d;
}

inline decoder_description describe_llama(config_file const& c, model_folder const&) { return describe_like_llama(c, {}); }

/// SmolLM 3: every fourth layer without rotation, or those that the file has a 0 for.
inline decoder_description describe_smollm3(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {.theta = 2e6, .tied = true});
    auto const rotated = c.integers("no_rope_layers");   // 1: with
    index_t const turn = c.integer_or("no_rope_layer_interval", 4);
    require(rotated.empty() || static_cast<index_t>(rotated.size()) == d.layers, c.where(), ": field 'no_rope_layers': ", rotated.size(), " layers: expected num_hidden_layers (", d.layers, ")");
    for (index_t l = 0; l < d.layers; ++l) d.unrotated.push_back(rotated.empty() ? (l + 1) % turn == 0 : rotated[static_cast<std::size_t>(l)] == 0);
    if (c.flag_or("use_sliding_window", false))
        read_windows(c, d, [&](index_t l) { return d.unrotated[static_cast<std::size_t>(l)]; });
    else
        c.ignore({"sliding_window", "layer_types", "max_window_layers"});
    return d;
}

/// Granite 3 (IBM): scales of the embedding, the scores, what is added to the stream, and the logits.
inline decoder_description describe_granite(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {});
    d.embedding_scale = c.number_or("embedding_multiplier", 1);
    d.residual_scale = c.number_or("residual_multiplier", 1);
    d.scale = c.number_or("attention_multiplier", 1);
    d.logit_scale = 1 / c.number_or("logits_scaling", 1);
    return d;
}

/// Mistral (2310.06825): every layer with a window, where the file has one.
inline decoder_description describe_mistral(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {});
    read_windows(c, d, [](index_t) { return true; }, 4096);
    return d;
}

/// Mixtral (2401.04088): experts in place of the MLP.
inline decoder_description describe_mixtral(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {.eps = 1e-5, .theta = 1e6});
    read_windows(c, d, [](index_t) { return true; });
    d.gate = d.up = d.down = {};
    d.mixture.experts = c.integer_or("num_local_experts", 8, 1, c.many);
    d.mixture.chosen = c.integer_or("num_experts_per_tok", 2, 1, d.mixture.experts);
    d.mixture.router = {"block_sparse_moe.gate"};
    d.mixture.gate = "block_sparse_moe.experts.{}.w1", d.mixture.up = "block_sparse_moe.experts.{}.w3", d.mixture.down = "block_sparse_moe.experts.{}.w2";
    return d;
}

/// Qwen 2 (2407.10671): biases on q, k, v; a window in the layers from max_window_layers on, where the file turns it on.
inline decoder_description describe_qwen2(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {});
    d.q.bias = d.k.bias = d.v.bias = true, d.out.bias = false;
    bool const windows = c.flag_or("use_sliding_window", false);
    index_t const from = c.integer_or("max_window_layers", 28, 0);
    if (windows)
        read_windows(c, d, [=](index_t l) { return l >= from; }, 4096);
    else
        c.ignore({"sliding_window", "layer_types"});
    return d;
}

/// Qwen 3 (2505.09388): QK-norm in place of those biases.
inline decoder_description describe_qwen3(config_file const& c, model_folder const& f) {
    auto d = describe_qwen2(c, f);
    d.q.bias = d.k.bias = d.v.bias = d.out.bias = c.flag_or("attention_bias", false);
    d.q_norm = "self_attn.q_norm", d.k_norm = "self_attn.k_norm";
    return d;
}

/// Qwen 3's mixtures (2505.09388): experts in every layer. Files that leave some layers without are refused.
inline decoder_description describe_qwen3_moe(config_file const& c, model_folder const& f) {
    auto d = describe_qwen3(c, f);
    c.expect("decoder_sparse_step", 1);
    c.expect("mlp_only_layers", json::array());
    if (c.flag_or("use_sliding_window", false)) read_windows(c, d, [](index_t) { return true; }, 4096);   // max_window_layers is not read
    d.gate = d.up = d.down = {};
    d.mlp_width = c.integer_or("moe_intermediate_size", 768);
    d.mixture.experts = c.integer_or(c.has("num_local_experts") ? "num_local_experts" : "num_experts", 128);
    d.mixture.chosen = c.integer_or("num_experts_per_tok", 8, 1, d.mixture.experts);
    d.mixture.normalised = c.flag_or("norm_topk_prob", false);
    d.mixture.router = {"mlp.gate"};
    d.mixture.gate = "mlp.experts.{}.gate_proj", d.mixture.up = "mlp.experts.{}.up_proj", d.mixture.down = "mlp.experts.{}.down_proj";
    return d;
}

}  // namespace attnlab
