// expect: deleted function
// lines: 12 22
#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto summand(auto s) { return std::exp(s); }
    static constexpr auto weight(auto s, auto z) { return exp(s) / z; }
};

static_assert(attention<causal, mine>::parameter_count < 9);
