// expect: parameters: two of this policy have the same name on disk: rename one
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_scalar<"bias"> first{zeros}, second{zeros};
    };
    static constexpr auto output(auto const& row, auto const& p) { return row.output * (p.first + p.second); }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
