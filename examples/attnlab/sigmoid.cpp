#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>
#include <attnlab/cli/experiment.hpp>

#include "policies.hpp"

attnlab::experiment sigmoid_experiment() {
    using namespace attnlab;
    return make_experiment<attention<causal, sigmoid_attention>>({"sigmoid", {}, "y = sum_j sigmoid(s_ij - log T) v_j", "2409.04431; (f) of 2502.06415"});
}
