#pragma once
#include <attnlab/cli/experiment_main.hpp>
#include <attnlab/cli/paper_policy.hpp>

/// \file
/// The six attentions in the families of Hugging Face: as long to compile as all else about them, hence beside it. Include it in
/// exactly one source file of a program; attnlab_add_experiment in CMake does that. For a GPU, softmax alone is compiled for families with
/// ALiBi or a cap on scores.

namespace attnlab {

family_policies paper_policy_for_families(std::string const& name) {
    constexpr auto plain = score_form::plain;
    if (name == "softmax") return compile_for_families<paper_policy<0>>();
    if (name == "value_bias") return compile_for_families<paper_policy<1>, plain>();
    if (name == "context_bias") return compile_for_families<paper_policy<2>, plain>();
    if (name == "attention_bias") return compile_for_families<paper_policy<3>, plain>();
    if (name == "context_scale") return compile_for_families<paper_policy<4>, plain>();
    if (name == "sigmoid") return compile_for_families<paper_policy<5>, plain>();
    return {};
}

}  // namespace attnlab
