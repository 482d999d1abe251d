#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto output(auto const& row) { return row.output + 2 * row.input; }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
