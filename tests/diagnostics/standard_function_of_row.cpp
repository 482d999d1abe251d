// expect: deleted function
// lines: 12 22
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto output(auto const& row) { return row.output * std::exp(row.query); }
};

static_assert(attention<causal, softmax, mine>::parameter_count < 9);
