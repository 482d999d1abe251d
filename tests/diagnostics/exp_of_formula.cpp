// expect: weighting: exp wants s itself, as in exp(s): change the score by a score joint, as temperature
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto summand(auto s) { return exp(2 * s); }
    static constexpr auto weight(auto s, auto z) { return exp(2 * s) / z; }
};

static_assert(attention<causal, mine>::parameter_count < 9);
