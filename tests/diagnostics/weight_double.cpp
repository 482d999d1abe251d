// expect: weighting: summand, weight or share returns no number of s: expected a formula, as exp(s) / z
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr double weight(auto) { return 0.5; }
};

static_assert(attention<causal, mine>::parameter_count < 9);
