// expect: dot(a, b): the two rows have different lengths (head size against model width?)
// lines: 11 21
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_map<"map"> map{zeros};
    };
    static constexpr auto output(auto const& row, auto const& p) { return row.output * dot(row.query, p.map); }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
