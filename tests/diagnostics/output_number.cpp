// expect: output: expected `static constexpr auto output(auto const& row, auto const& p)`, its result a row of D as row.output is
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto output(auto const& row) { return dot(row.output, row.output); }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
