#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/cli/experiment.hpp>

#include "policies.hpp"

attnlab::experiment context_bias_experiment() {
    using namespace attnlab;
    return make_experiment<attention<causal, softmax, context_bias>>({"context_bias", {"cabias"}, "y = o + p0 v', p0 = sigmoid(q.k'/sqrt(D) - L)", "(c) of 2502.06415"});
}
