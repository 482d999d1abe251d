#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = relu(s_ij) / T, no normalisation (2309.08586). Which T: see `length_rule`.
struct relu_attention {
    static constexpr auto weight(auto s, auto row) { return relu(s) / row.length; }
};

}  // namespace attnlab
