#pragma once
#include <attnlab/attention/parameters.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// y = sigmoid(w_h . x_h + b_h) o, x_h the head's D of the layer's input: the linear gate of Bondarenko et al. (2306.12929). b starts so
/// that the gate is `Initial`, not decayed; w is decayed.
template <real Initial = 0.25>
struct head_input_gate {
    static_assert(Initial > 0 && Initial < 1, "head_input_gate<Initial>: a gate starts between 0 and 1");
    struct parameters {
        head_vector<"head_gate.weight"> weight{from_model};
        head_scalar<"head_gate.bias"> bias{constant(logarithm(Initial) - logarithm(1 - Initial))};
    };
    static constexpr auto output(auto const& row, auto const& p) { return sigmoid(dot(row.head_input, p.weight) + p.bias) * row.output; }
};

}  // namespace attnlab
