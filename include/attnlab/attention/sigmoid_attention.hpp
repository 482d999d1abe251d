#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = sigmoid(s_ij - log T), no normalisation (2409.04431). Variant (f) of 2502.06415. Which T: see `length_rule`.
struct sigmoid_attention {
    static constexpr auto weight(auto s, auto row) { return sigmoid(s - log(row.length)); }
};

}  // namespace attnlab
