// expect: score: two different formulas in per_token or cumulative_sum: a score may have one
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_map<"map"> map{zeros};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        auto const gate = dot(at.input, p.map);
        return s + cumulative_sum(gate).at_query() - cumulative_sum(2 * gate).at_key();
    }
};

static_assert(attention<causal, mine, softmax>::parameter_count < 9);
