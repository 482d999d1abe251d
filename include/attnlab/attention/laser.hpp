#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// The two halves of LASER (2411.03493), y = log sum_j w_ij exp(v_j): `attention<laser_exp, causal, softmax, laser_log>`. Without the
/// paper's shift by the largest v of each channel: |v| must stay below 88 on floats.
struct laser_exp {
    static constexpr auto value(auto const& row) { return exp(row.value); }
};
/// Undoes `laser_exp` after the sum.
struct laser_log {
    static constexpr auto output(auto const& row) { return log(row.output); }
};

}  // namespace attnlab
