// expect: an operator between two rows of different lengths (head size D, model width C, or keys?)
// lines: 12 24
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto output(auto const& row) { return row.output + 2 * row.input; }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
