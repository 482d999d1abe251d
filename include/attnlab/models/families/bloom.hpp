#pragma once
#include <attnlab/attention/alibi.hpp>
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// BLOOM (2211.05100): ALiBi, a norm behind the embedding; q, k and v of a head lie together. Names with or without
/// "transformer.".
inline decoder_description describe_bloom(config_file const& c, model_folder const& f) {
    decoder_description d;
    d.family = "bloom";
    auto const either = [&](char const* first, char const* second) { return c.integer(c.has(first) ? first : second); };
    d.vocabulary = c.integer("vocab_size");
    d.width = either("hidden_size", "n_embed");
    d.layers = either("n_layer", "num_hidden_layers");
    d.heads = d.kv_heads = either("n_head", "num_attention_heads");
    require(d.width % d.heads == 0, c.where(), ": field 'n_head': ", d.heads, ": expected a divisor of hidden_size (", d.width,
            ")");
    d.head_size = d.width / d.heads;
    d.mlp_width = 4 * d.width;
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_epsilon", 1e-5), 0, true};
    d.act = activation::gelu_tanh;
    c.expect("apply_residual_connection_post_layernorm", false);
    c.ignore({"slow_but_exact", "n_embed", "num_attention_heads", "num_hidden_layers", "seq_length", "attention_softmax_in_fp32",
              "bias_dropout_fusion", "masked_softmax_fusion", "offset_alibi", "skip_bias_add", "skip_bias_add_qkv",
              "unk_token_id", "n_inner"});  // the same again, and how it was run: transformers reads none of them
    std::string const front = f.has("transformer.word_embeddings.weight") ? "transformer." : "";
    d.embedding = front + "word_embeddings.weight", d.embedding_norm = front + "word_embeddings_layernorm";
    d.block = front + "h.";
    d.attention_norm = "input_layernorm", d.mlp_norm = "post_attention_layernorm";
    d.qkv = {"self_attention.query_key_value", true}, d.out = {"self_attention.dense", true};
    d.grouped = true;
    d.up = {"mlp.dense_h_to_4h", true}, d.down = {"mlp.dense_4h_to_h", true};
    d.final_norm = front + "ln_f";
    if (!c.flag_or("tie_word_embeddings", true)) d.head = "lm_head.weight";
    for (index_t h = 0; h < d.heads; ++h) d.slopes.push_back(alibi_slope{}(static_cast<double>(h), static_cast<double>(d.heads)));
    return d;
}

}  // namespace attnlab
