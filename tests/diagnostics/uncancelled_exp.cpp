// expect: weighting: exp(s) does not cancel in weight(s, z), so weights would overflow: divide by z
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto summand(auto s) { return exp(s); }
    static constexpr auto weight(auto s, auto) { return exp(s); }
};

static_assert(attention<causal, mine>::parameter_count < 9);
