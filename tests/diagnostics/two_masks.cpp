// expect: mask: this policy has two: keep one, or join them as both<A, B>
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

static_assert(attention<causal, full, softmax>::parameter_count < 9);
