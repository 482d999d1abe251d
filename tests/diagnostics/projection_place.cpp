// expect: project(matrix, row.input) belongs in an output joint: here, write dot(row.input, p.map) of a head_map
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    struct parameters {
        head_matrix<"map"> map{from_model};
    };
    static constexpr auto query(auto const& row, auto const& p) { return row.query + project(p.map, row.input); }
};

static_assert(attention<mine, causal, softmax>::parameter_count < 9);
