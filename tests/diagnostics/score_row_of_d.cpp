// expect: score: expected `static constexpr auto score(auto s)`, or (s, at), or (s, at, p), its result a formula of s
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_vector<"row"> row{zeros};
    };
    static constexpr auto score(auto, auto const&, auto const& p) { return p.row; }
};

static_assert(attention<causal, mine, softmax>::parameter_count < 9);
