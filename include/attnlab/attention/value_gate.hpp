#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// v_j <- sigmoid(w_h . v_j + b_h) v_j: a token may withhold its value without a small v (VGA, 2510.09017). w is decayed; b starts at 0,
/// not decayed.
struct value_gate {
    struct parameters {
        head_vector<"value_gate.weight"> weight{from_model};
        head_scalar<"value_gate.bias"> bias{zeros};
    };
    static constexpr auto value(auto const& row, auto const& p) { return sigmoid(dot(row.value, p.weight) + p.bias) * row.value; }
};

}  // namespace attnlab
