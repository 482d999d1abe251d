// expect: weighting: this policy has two: keep one
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

static_assert(attention<causal, softmax, softmax>::parameter_count < 9);
