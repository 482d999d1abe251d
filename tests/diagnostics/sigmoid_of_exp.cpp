// expect: weighting: log, sqrt, tanh, sigmoid, ... of an argument in which exp(s) does not cancel overflows: divide by z
// lines: 9 12
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto summand(auto s) { return exp(s); }
    static constexpr auto weight(auto s, auto z) { return sigmoid(exp(s)) / log(z); }
};

static_assert(attention<causal, mine>::parameter_count < 9);
