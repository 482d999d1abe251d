// expect: weighting: has no parameters: what is learned belongs in a score joint, as temperature, or in an output joint, as value_bias
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_scalar<"slope"> slope{ones};
    };
    static constexpr auto weight(auto s, auto const& p) { return sigmoid(p.slope * s); }
};

static_assert(attention<causal, mine>::parameter_count < 9);
