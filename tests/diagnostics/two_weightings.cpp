#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

static_assert(attention<causal, softmax, softmax>::parameter_count < 9);
