#pragma once
#include <attnlab/models/families/fields.hpp>
#include <attnlab/models/families/rotation.hpp>
#include <attnlab/models/model_folder.hpp>

namespace attnlab {

/// GPT-J 6B: one LayerNorm feeds attention and MLP side by side; rotation of neighbouring channels, of a part of each head.
inline decoder_description describe_gptj(config_file const& c, model_folder const&) {
    decoder_description d;
    d.family = "gptj";
    d.vocabulary = c.integer("vocab_size");
    d.width = c.integer("n_embd");
    d.layers = c.integer("n_layer", 1, c.many);
    d.heads = d.kv_heads = c.integer("n_head", 1, c.many);
    require(d.width % d.heads == 0, c.where(), ": field 'n_head': ", d.heads, ": expected a divisor of n_embd (", d.width, ")");
    d.head_size = d.width / d.heads;
    d.longest = c.integer_or("n_positions", 2048);
    d.mlp_width = c.integer_or("n_inner", 4 * d.width);
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_epsilon", 1e-5), 0, true};
    d.act = read_activation(c, "activation_function", "gelu_new");
    c.expect("scale_attn_weights", true);
    c.ignore({"rotary"});
    d.parallel = true;
    d.embedding = "transformer.wte.weight";
    d.block = "transformer.h.";
    d.attention_norm = "ln_1";
    d.q = {"attn.q_proj"}, d.k = {"attn.k_proj"}, d.v = {"attn.v_proj"}, d.out = {"attn.out_proj"};
    d.up = {"mlp.fc_in", true}, d.down = {"mlp.fc_out", true};
    d.final_norm = "transformer.ln_f";
    if (!c.flag_or("tie_word_embeddings", false)) d.head = "lm_head.weight";
    d.head_bias = "lm_head.bias";
    index_t const rotated = c.integer_or("rotary_dim", std::min<index_t>(64, d.head_size), 2, d.head_size);
    auto rope = read_rope(c);
    rope.partial = (static_cast<double>(rotated) + 0.5) / static_cast<double>(d.head_size);  // as many, whatever is rounded
    d.rotation = rotation_of(rope, d.head_size);
    d.rotation.neighbours = true;
    return d;
}

}  // namespace attnlab
