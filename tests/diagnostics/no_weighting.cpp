// expect: weighting: this policy has none: add one, as softmax
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

static_assert(attention<causal>::parameter_count < 9);
