// expect: output: row.log_normalizer needs a weighting with a row sum (summand)
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>

using namespace attnlab;

struct mine {
    static constexpr auto output(auto const& row) { return row.output * row.log_normalizer; }
};

static_assert(attention<causal, sigmoid_attention, mine>::parameter_count < 9);
