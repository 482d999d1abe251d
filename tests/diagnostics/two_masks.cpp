#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

static_assert(attention<causal, full, softmax>::parameter_count < 9);
