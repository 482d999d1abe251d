// expect: weighting: weight reads z, so it needs `static constexpr auto summand(auto s)`
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto weight(auto s, auto z) { return exp(s) / z; }
};

static_assert(attention<causal, mine>::parameter_count < 9);
