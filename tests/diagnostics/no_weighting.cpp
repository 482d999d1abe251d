#include <attnlab/attention/policy.hpp>

using namespace attnlab;

static_assert(attention<causal>::parameter_count < 9);
