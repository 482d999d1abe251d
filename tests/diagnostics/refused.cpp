#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/refused.hpp>

using namespace attnlab;

static_assert(attention<causal, stick_breaking>::parameter_count < 9);
