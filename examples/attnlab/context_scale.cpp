#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/cli/experiment.hpp>

#include "policies.hpp"

attnlab::experiment context_scale_experiment() {
    using namespace attnlab;
    return make_experiment<attention<causal, softmax, context_scale>>({"context_scale", {"ca_softmax"}, "y = 2 sigmoid(x W + b) o", "(e) of 2502.06415"});
}
