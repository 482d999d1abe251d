#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = sigmoid(s_ij) / sum_j sigmoid(s_ij) (2410.10781: the sink returns with the normalisation). The 1e-15 gives weights 0 to a
/// row whose sigmoids all underflow.
struct normalized_sigmoid {
    static constexpr auto summand(auto s) { return sigmoid(s); }
    static constexpr auto weight(auto s, auto z) { return sigmoid(s) / (z + 1e-15); }
};

}  // namespace attnlab
