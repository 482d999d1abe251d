#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = relu(s_ij - t_i), the projection of the scores onto the simplex: exact zeros (1602.02068).
struct sparsemax {
    static constexpr auto share(auto u) { return relu(u); }
};

/// w_ij = relu(s_ij / 2 - tau_i)^2: entmax of 1.5, between softmax and sparsemax (1905.05702, 1909.00015). Here t_i = 2 tau_i.
struct entmax15 {
    static constexpr auto share(auto u) { return square(relu(u)) / 4; }
};

}  // namespace attnlab
