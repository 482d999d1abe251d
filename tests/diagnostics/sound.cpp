// The control: a policy without a mistake compiles.
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_scalar<"gate"> gate{zeros};
    };
    static constexpr auto output(auto const& row, auto const& p) { return row.output * sigmoid(p.gate); }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
