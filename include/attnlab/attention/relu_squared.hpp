#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = relu(s_ij)^2 / T, no normalisation (2309.08586, among its activations). Which T: see `length_rule`.
struct relu_squared {
    static constexpr auto weight(auto s, auto row) { return square(relu(s)) / row.length; }
};

}  // namespace attnlab
