#pragma once
#include <attnlab/attention/alibi.hpp>
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/families/rotation.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// Falcon (2311.16867) in its three forms: 7B (one head of k and v, one norm for attention and MLP), 40B and 180B
/// (`new_decoder_architecture`: several such heads, two norms), and the RW models (ALiBi, one after the other).
inline decoder_description describe_falcon(config_file const& c, model_folder const&) {
    decoder_description d;
    d.family = "falcon";
    d.vocabulary = c.integer("vocab_size");
    d.width = c.integer("hidden_size");
    d.layers = c.integer("num_hidden_layers", 1, c.many);
    d.heads = c.integer("num_attention_heads", 1, c.many);
    require(d.width % d.heads == 0, c.where(), ": field 'num_attention_heads': ", d.heads,
            ": expected a divisor of hidden_size (", d.width, ")");
    d.head_size = d.width / d.heads;
    bool const newer = c.flag_or("new_decoder_architecture", false), one_kv = c.flag_or("multi_query", true);
    index_t const kv_heads = c.integer_or("num_kv_heads", d.heads);
    d.kv_heads = newer ? kv_heads : one_kv ? 1 : d.heads;
    require(d.heads % d.kv_heads == 0, c.where(), ": field 'num_kv_heads': ", d.kv_heads,
            ": expected a divisor of num_attention_heads (", d.heads, ")");
    d.longest = c.integer_or("max_position_embeddings", 2048);
    d.mlp_width = c.integer_or("ffn_hidden_size", 4 * d.width);
    c.ignore({"ff_factor"});  // its quotient
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_epsilon", 1e-5), 0, true};
    d.act = read_activation(c, "activation", "gelu");
    c.expect("apply_residual_connection_post_layernorm", false);
    d.parallel = c.flag_or("parallel_attn", true) || newer;
    bool const bias = c.flag_or("bias", false);
    d.embedding = "transformer.word_embeddings.weight";
    d.block = "transformer.h.";
    index_t const norms = c.integer_or("num_ln_in_parallel_attn", newer ? 2 : 1, 1, 2);
    if (newer && norms == 2)
        d.attention_norm = "ln_attn", d.mlp_norm = "ln_mlp";
    else
        d.attention_norm = "input_layernorm", d.mlp_norm = d.parallel ? "" : "post_attention_layernorm";
    d.qkv = {"self_attention.query_key_value", bias}, d.out = {"self_attention.dense", bias};
    d.grouped = true;
    d.up = {"mlp.dense_h_to_4h", bias}, d.down = {"mlp.dense_4h_to_h", bias};
    d.final_norm = "transformer.ln_f";
    if (!c.flag_or("tie_word_embeddings", true)) d.head = "lm_head.weight";
    if (c.flag_or("alibi", false)) {
        // A table in bfloat16, added before the scores are scaled.
        for (index_t h = 0; h < d.heads; ++h)
            d.slopes.push_back(static_cast<float>(
                bfloat16(static_cast<float>(alibi_slope{}(static_cast<double>(h), static_cast<double>(d.heads))))));
        d.slopes_scale = d.score_scale();
        c.ignore({"rope_theta", "rope_scaling", "rope_parameters"});
    } else {
        read_rotation(c, d);
    }
    return d;
}

}  // namespace attnlab
