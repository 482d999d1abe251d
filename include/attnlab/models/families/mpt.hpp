#pragma once
#include <bit>
#include <cmath>

#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// MPT: ALiBi, norms and matrices without biases. Other attentions of its first code (prefix, learned positions, QK-norm) are
/// refused; alibi_bias_max, expansion_ratio and logit_scale are read as that code does (llm-foundry), while transformers runs 8,
/// 4 and 1.
inline decoder_description describe_mpt(config_file const& c, model_folder const&) {
    decoder_description d;
    d.family = "mpt";
    d.vocabulary = c.integer("vocab_size");
    d.width = c.integer("d_model");
    d.layers = c.integer("n_layers", 1, c.many);
    d.heads = d.kv_heads = c.integer("n_heads", 1, c.many);
    require(d.width % d.heads == 0, c.where(), ": field 'n_heads': ", d.heads, ": expected a divisor of d_model (", d.width, ")");
    d.head_size = d.width / d.heads;
    d.longest = c.integer_or("max_seq_len", 2048);
    d.mlp_width = c.integer_or("expansion_ratio", 4) * d.width;
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_epsilon", 1e-5)};
    d.act = activation::gelu;
    c.expect("no_bias", true);
    if (c.has("logit_scale"))
        d.logit_scale =
            c.says("logit_scale", "inv_sqrt_d_model") ? 1 / std::sqrt(static_cast<double>(d.width)) : c.number("logit_scale");
    c.ignore({"norm_type", "learned_pos_emb"});  // it has no table of positions, whatever the file says
    auto const& a = c.section("attn_config");
    if (a.has("attn_type")) a.expect("attn_type", "multihead_attention");
    a.expect("alibi", true);
    a.expect("prefix_lm", false);
    a.expect("qk_ln", false);
    d.clip_qkv = a.number_or("clip_qkv", 0);
    d.scale = a.has("softmax_scale") ? a.positive_or("softmax_scale", 1) : 0;
    // As its code orders them: of twice as many, every other one first.
    auto const n = static_cast<index_t>(std::bit_ceil(static_cast<std::size_t>(d.heads)));
    double const most = static_cast<double>(a.integer_or("alibi_bias_max", 8));
    for (index_t h = 0; h < d.heads; ++h) {
        index_t const at = n == d.heads ? h : h < n / 2 ? 2 * h + 1 : 2 * (h - n / 2);
        d.slopes.push_back(std::exp2(-most * static_cast<double>(at + 1) / static_cast<double>(n)));
    }
    d.slopes_from_end = true;
    d.embedding = "transformer.wte.weight";
    d.block = "transformer.blocks.";
    d.attention_norm = "norm_1", d.mlp_norm = "norm_2";
    d.qkv = {"attn.Wqkv"}, d.out = {"attn.out_proj"};
    d.up = {"ffn.up_proj"}, d.down = {"ffn.down_proj"};
    d.final_norm = "transformer.norm_f";
    if (!c.flag_or("tie_word_embeddings", true)) d.head = "lm_head.weight";
    return d;
}

}  // namespace attnlab
