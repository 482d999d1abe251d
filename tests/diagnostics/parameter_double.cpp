// expect: parameters: a member that is no learned tensor: expected head_vector, merged_vector
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        double gate = 0;
    };
    static constexpr auto output(auto const& row, auto const& p) { return row.output * p.gate; }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
