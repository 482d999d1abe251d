// expect: mask: expected `static constexpr key_range keys(auto i, auto T)`
// lines: 9 12
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

using namespace attnlab;

struct mine {
    static constexpr int keys(index_t, index_t) { return 0; }
};

static_assert(attention<mine, softmax>::parameter_count < 9);
