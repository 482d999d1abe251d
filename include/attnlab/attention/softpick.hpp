#pragma once
#include <attnlab/attention/graded.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// w_ij = relu(exp(s_ij) - 1) / (sum_j |exp(s_ij) - 1| + eps): keys with a score below 0 count in the sum alone (2504.20966).
/// `Epsilon` is added after the row's maximum is taken off.
template <real Epsilon = 1e-8>
struct softpick {
    static constexpr auto summand(auto s) { return abs(exp(s) - 1); }
    static constexpr auto weight(auto s, auto z) { return relu(exp(s) - 1) / (z + relative(Epsilon)); }
};

}  // namespace attnlab
