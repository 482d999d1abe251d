// expect: lookup(table, at.distance, bucket): a bucket without captures
// lines: 14 24
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_table<"near", 8> near{zeros};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        index_t const half = 2;
        return s + lookup(p.near, at.distance, [half](index_t d) { return d / half; });
    }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
