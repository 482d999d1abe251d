// expect: score: parameters of a score are head_scalar, or head_table with lookup(table, at.distance, bucket)
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_vector<"row"> row{zeros};
    };
    static constexpr auto score(auto s, auto const&, auto const& p) { return s * dot(p.row, p.row); }
};

static_assert(attention<causal, mine, softmax>::parameter_count < 9);
