// expect: prologue: expected `static constexpr auto query(auto const& row, auto const& p)` (key, value), its result a row of D
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto query(auto const& row) { return dot(row.query, row.query); }
};

static_assert(attention<mine, causal, softmax>::parameter_count < 9);
