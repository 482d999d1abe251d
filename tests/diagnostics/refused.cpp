// expect: stick_breaking needs a running scan along the keys, which attention<...> has no joint for
// lines: 9 17
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/refused.hpp>

using namespace attnlab;

static_assert(attention<causal, stick_breaking>::parameter_count < 9);
