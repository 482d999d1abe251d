// expect: no member named
// lines: 8 16
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_vector<"key"> key{zeros};
    };
    static constexpr auto output(auto const& row, auto const& p) { return row.output * dot(row.query, p.kye); }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
