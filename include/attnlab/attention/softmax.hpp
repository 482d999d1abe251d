#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = exp(s_ij) / sum_j exp(s_ij) (1706.03762). Variant (a) of 2502.06415.
struct softmax {
    static constexpr auto summand(auto s) { return exp(s); }
    static constexpr auto weight(auto s, auto z) { return exp(s) / z; }
};

}  // namespace attnlab
