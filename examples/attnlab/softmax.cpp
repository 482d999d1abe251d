#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/cli/experiment.hpp>

#include "policies.hpp"

attnlab::experiment softmax_experiment() {
    using namespace attnlab;
    return make_experiment<attention<causal, softmax>>({"softmax", {"default"}, "y = sum_j exp(s_ij) v_j / sum_j exp(s_ij)", "1706.03762; (a) of 2502.06415"});
}
