#pragma once
#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// Command R (Cohere): one LayerNorm without a bias feeds attention and MLP side by side; rotation of neighbouring channels;
/// scaled logits.
inline decoder_description describe_cohere(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {.theta = 500000, .tied = true});
    d.norm = {norm_form::kind::layer, c.number_or("layer_norm_eps", 1e-5)};
    c.expect("use_qk_norm", false);
    d.parallel = true;
    d.mlp_norm = "";
    d.rotation.neighbours = true;
    d.logit_scale = c.number_or("logit_scale", 0.0625);
    return d;
}

}  // namespace attnlab
