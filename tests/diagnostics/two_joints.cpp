// expect: two joints in one struct (prologue, score, mask, weighting or output): split it in two
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto score(auto s) { return 2 * s; }
    static constexpr auto output(auto const& row) { return row.output; }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
