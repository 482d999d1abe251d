#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/cli/experiment.hpp>

#include "policies.hpp"

attnlab::experiment attention_bias_experiment() {
    using namespace attnlab;
    return make_experiment<attention<causal, softmax, attention_bias>>({"attention_bias", {"attn_bias"}, "y = (1 - p0) o + p0 v', p0 = sigmoid(q.k'/sqrt(D) - L)", "2402.17762; (d) of 2502.06415"});
}
