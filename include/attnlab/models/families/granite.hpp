#pragma once
#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// Granite 3 (IBM): scales of the embedding, the scores, what is added to the stream, and the logits.
inline decoder_description describe_granite(config_file const& c, model_folder const&) {
    auto d = describe_like_llama(c, {});
    d.embedding_scale = c.number_or("embedding_multiplier", 1);
    d.residual_scale = c.number_or("residual_multiplier", 1);
    d.scale = c.positive_or("attention_multiplier", 1);
    d.logit_scale = 1 / c.positive_or("logits_scaling", 1);
    return d;
}

}  // namespace attnlab
