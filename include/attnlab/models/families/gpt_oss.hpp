#pragma once
#include <attnlab/models/families/llama.hpp>

namespace attnlab {

/// gpt-oss (2508.10925): a sink logit a head, every other layer with a window, clamped experts with biases.
inline decoder_description describe_gpt_oss(config_file const& c, model_folder const&) {
    require(c.has("rope_parameters") || c.has("rope_scaling"), c.where(),
            ": field 'rope_scaling' is missing: expected an object, of the form yarn");
    auto d = describe_like_llama(c, {.eps = 1e-5, .theta = 150000});
    d.q.bias = d.k.bias = d.v.bias = d.out.bias = c.flag_or("attention_bias", true);
    d.sinks = "self_attn.sinks";
    d.gate = d.up = d.down = {};
    d.mixture.experts = c.integer_or("num_local_experts", 128, 1, c.many);
    d.mixture.chosen = c.integer_or("num_experts_per_tok", c.integer_or("experts_per_token", 4), 1, d.mixture.experts);
    c.ignore({"experts_per_token"});
    if (c.has("quantization_config")) {  // of the experts alone: read as they are stored
        auto const& q = c.section("quantization_config");
        q.expect("quant_method", "mxfp4");
        q.ignore({"modules_to_not_convert"});
    }
    d.mixture.router = {"mlp.router", true};
    d.mixture.gate = "mlp.experts.gate_up_proj", d.mixture.down = "mlp.experts.down_proj";
    d.mixture.fused = true;
    d.mixture.clamp = c.number_or("swiglu_limit", 7), d.mixture.slope = c.number_or("swiglu_alpha", 1.702);
    read_windows(
        c, d, [](index_t l) { return l % 2 == 0; }, 128);
    return d;
}

}  // namespace attnlab
