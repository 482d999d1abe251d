#pragma once
#include <vector>

#include <attnlab/cli/experiment_main.hpp>
#include <attnlab/cli/paper_policy.hpp>

/// \file
/// The six attentions that every program can compare its own with. Include it in exactly one source file of a program, as program.hpp;
/// attnlab_add_experiment in CMake does that.

namespace attnlab {

std::vector<experiment> paper_experiments() {
    std::vector<experiment> all{
        make_experiment<paper_policy<0>>(
            {"softmax", {"default"}, "y = sum_j exp(s_ij) v_j / sum_j exp(s_ij)", "1706.03762; (a) of 2502.06415"}),
        make_experiment<paper_policy<1>>({"value_bias", {"vbias"}, "y = o + v'", "(b) of 2502.06415"}),
        make_experiment<paper_policy<2>>(
            {"context_bias", {"cabias"}, "y = o + p0 v', p0 = sigmoid(q.k'/sqrt(D) - L)", "(c) of 2502.06415"}),
        make_experiment<paper_policy<3>>(
            {"attention_bias", {"attn_bias"}, "y = (1 - p0) o + p0 v', p0 = sigmoid(q.k'/sqrt(D) - L)", "2402.17762; (d) of 2502.06415"}),
        make_experiment<paper_policy<4>>(
            {"context_scale", {"ca_softmax"}, "y = 2 sigmoid(x W + b) o", "(e) of 2502.06415"}),
        make_experiment<paper_policy<5>>(
            {"sigmoid", {}, "y = sum_j sigmoid(s_ij - log T) v_j", "2409.04431; (f) of 2502.06415"}),
    };
    for (auto& e : all) e.in_families = paper_policy_for_families(e.card.name);
    return all;
}

}  // namespace attnlab
