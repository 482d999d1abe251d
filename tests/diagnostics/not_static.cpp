// expect: a member function of this joint is not static: write `static constexpr auto`
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    constexpr auto output(auto const& row) const { return row.output; }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
