// expect: a formula reads a learned tensor that no joint of this policy declares
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

inline constexpr head_scalar<"gain"> gain{ones};
struct mine {
    static constexpr auto score(auto s) { return s * gain; }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
