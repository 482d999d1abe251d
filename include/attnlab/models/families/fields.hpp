#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include <attnlab/models/config_file.hpp>
#include <attnlab/models/decoder/description.hpp>

/// \file
/// Fields that several families share.

namespace attnlab {

/// The function that a config.json names. \throws error for one that is not there
inline activation read_activation(config_section const& c, std::string const& field, std::string const& otherwise) {
    auto const name = c.word_or(field, otherwise);
    if (name == "gelu") return activation::gelu;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast") return activation::gelu_tanh;
    if (name == "silu" || name == "swish") return activation::silu;
    if (name == "relu") return activation::relu;
    fail(c.where(), ": field '", field, "': '", name, "': expected gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, silu or relu");
}

/// Sizes under the names that most families use, and the check that heads divide.
inline void read_sizes(config_file const& c, decoder_description& d) {
    d.vocabulary = c.integer("vocab_size");
    d.width = c.integer("hidden_size");
    d.layers = c.integer("num_hidden_layers", 1, c.many);
    d.heads = c.integer("num_attention_heads", 1, c.many);
    d.kv_heads = c.integer_or("num_key_value_heads", d.heads);
    d.longest = c.integer_or("max_position_embeddings", 0);
    if (!c.has("head_dim"))
        require(d.width % d.heads == 0, c.where(), ": field 'num_attention_heads': ", d.heads,
                ": expected a divisor of hidden_size (", d.width, ")");
    d.head_size = c.integer_or("head_dim", std::max<index_t>(1, d.width / d.heads), 1, c.many);
    require(d.heads % d.kv_heads == 0, c.where(), ": field 'num_key_value_heads': ", d.kv_heads,
            ": expected a divisor of num_attention_heads (", d.heads, ")");
}

/// The window of each layer: where layer_types says "sliding_attention", or, in files without it, where `slides` says so. No
/// window where the file has null. \param otherwise the keys that those layers see where the file has no sliding_window
template <class Rule>
void read_windows(config_file const& c, decoder_description& d, Rule slides, index_t otherwise = 0) {
    auto const types = c.words("layer_types");
    index_t const window = c.is_null("sliding_window") ? 0 : c.integer_or("sliding_window", otherwise, 0);
    d.windows.clear();
    require(types.empty() || static_cast<index_t>(types.size()) == d.layers, c.where(), ": field 'layer_types': ", types.size(),
            " layers: expected num_hidden_layers (", d.layers, ")");
    bool any = false;
    for (index_t l = 0; l < d.layers; ++l) {
        bool sliding = slides(l);
        if (!types.empty()) {
            auto const& t = types[static_cast<std::size_t>(l)];
            require(t == "full_attention" || t == "sliding_attention", c.where(), ": field 'layer_types': '", t,
                    "': expected full_attention or sliding_attention");
            sliding = t == "sliding_attention";
            require(!sliding || window > 0, c.where(),
                    ": field 'sliding_window': expected the keys that layers of sliding_attention see");
        }
        d.windows.push_back(sliding ? window : 0);
        any = any || d.windows.back() > 0;
    }
    if (!any) d.windows.clear();
}

}  // namespace attnlab
