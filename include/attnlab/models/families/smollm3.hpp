#pragma once
#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// SmolLM 3: every fourth layer without rotation, or those that the file has a 0 for.
inline decoder_description describe_smollm3(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {.theta = 2e6, .tied = true});
    auto const rotated = c.integers("no_rope_layers");  // 1: with
    index_t const turn = c.integer_or("no_rope_layer_interval", 4);
    require(rotated.empty() || static_cast<index_t>(rotated.size()) == d.layers, c.where(),
            ": field 'no_rope_layers': ", rotated.size(), " layers: expected num_hidden_layers (", d.layers, ")");
    for (index_t l = 0; l < d.layers; ++l)
        d.unrotated.push_back(rotated.empty() ? (l + 1) % turn == 0 : rotated[static_cast<std::size_t>(l)] == 0);
    if (c.flag_or("use_sliding_window", false))
        read_windows(c, d, [&](index_t l) { return d.unrotated[static_cast<std::size_t>(l)]; });
    else
        c.ignore({"sliding_window", "layer_types", "max_window_layers"});
    return d;
}

}  // namespace attnlab
