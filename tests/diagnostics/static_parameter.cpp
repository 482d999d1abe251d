// expect: it belongs in `struct parameters` of a joint, not static
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        static constexpr head_vector<"shift"> shift{zeros};
    };
    static constexpr auto output(auto const& row, auto const& p) { return row.output + p.shift; }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
