#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/value_bias.hpp>
#include <attnlab/cli/experiment.hpp>

#include "policies.hpp"

attnlab::experiment value_bias_experiment() {
    using namespace attnlab;
    return make_experiment<attention<causal, softmax, value_bias>>({"value_bias", {"vbias"}, "y = o + v'", "(b) of 2502.06415"});
}
