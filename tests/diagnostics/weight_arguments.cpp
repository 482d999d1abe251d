// expect: weighting: weight cannot be called: expected `static constexpr auto weight(auto s, auto z)` beside a summand
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto summand(auto s) { return exp(s); }
    static constexpr auto weight(auto s) { return exp(s); }
};

static_assert(attention<causal, mine>::parameter_count < 9);
