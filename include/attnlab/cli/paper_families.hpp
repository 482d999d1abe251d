#pragma once
#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/value_bias.hpp>
#include <attnlab/cli/experiment_main.hpp>

/// \file
/// The six attentions in the families of Hugging Face: as long to compile as all else about them, hence beside it. Include it in
/// exactly one source file of a program; attnlab_add_experiment in CMake does that. For a GPU, softmax alone is compiled for families with
/// ALiBi or a cap on scores.

namespace attnlab {

family_policies paper_policy_for_families(std::string const& name) {
    constexpr auto plain = score_form::plain;
    if (name == "softmax") return compile_for_families<attention<causal, softmax>>();
    if (name == "value_bias") return compile_for_families<attention<causal, softmax, value_bias>, plain>();
    if (name == "context_bias") return compile_for_families<attention<causal, softmax, context_bias>, plain>();
    if (name == "attention_bias") return compile_for_families<attention<causal, softmax, attention_bias>, plain>();
    if (name == "context_scale") return compile_for_families<attention<causal, softmax, context_scale>, plain>();
    if (name == "sigmoid") return compile_for_families<attention<causal, sigmoid_attention>, plain>();
    return {};
}

}  // namespace attnlab
