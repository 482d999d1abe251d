// expect: weighting: summand without weight: add `static constexpr auto weight(auto s, auto z)`
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto summand(auto s) { return exp(s); }
};

static_assert(attention<causal, mine>::parameter_count < 9);
