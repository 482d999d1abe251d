#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// GPT-2 as published: matrices are stored (in, out), names with or without "transformer.".
inline decoder_description describe_gpt2(config_file const& c, model_folder const& f) {
    decoder_description d;
    d.family = "gpt2";
    d.vocabulary = c.integer("vocab_size");
    d.width = c.integer("n_embd");
    d.layers = c.integer("n_layer", 1, c.many);
    d.heads = d.kv_heads = c.integer("n_head", 1, c.many);
    require(d.width % d.heads == 0, c.where(), ": field 'n_head': ", d.heads, ": expected a divisor of n_embd (", d.width, ")");
    d.head_size = d.width / d.heads;
    d.longest = c.integer("n_positions");
    d.refuses_longer = true;
    d.mlp_width = c.integer_or("n_inner", 4 * d.width);
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_epsilon", 1e-5), 0, true};
    d.act = read_activation(c, "activation_function", "gelu_new");
    c.expect("scale_attn_weights", true);
    c.expect("scale_attn_by_inverse_layer_idx", false);
    c.expect("add_cross_attention", false);
    std::string const front = f.has("transformer.wte.weight") ? "transformer." : "";
    d.embedding = front + "wte.weight", d.positions = front + "wpe.weight";
    d.block = front + "h.";
    d.attention_norm = "ln_1", d.mlp_norm = "ln_2";
    d.qkv = {"attn.c_attn", true, true}, d.out = {"attn.c_proj", true, true};
    d.up = {"mlp.c_fc", true, true}, d.down = {"mlp.c_proj", true, true};
    d.final_norm = front + "ln_f";
    if (!c.flag_or("tie_word_embeddings", true)) d.head = "lm_head.weight";
    return d;
}

}  // namespace attnlab
