#include <attnlab/attention/policy.hpp>

using namespace attnlab;

struct mine {
    static constexpr double weight(auto) { return 0.5; }
};

static_assert(attention<causal, mine>::parameter_count < 9);
