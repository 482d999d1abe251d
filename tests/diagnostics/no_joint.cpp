// expect: no joint in this struct: expected one of the static members query, key, value [prologue]; score [score]; keys [mask]; weight
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto result(auto const& row) { return row.output; }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
