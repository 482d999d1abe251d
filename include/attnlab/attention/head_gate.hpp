#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// y = sigmoid(w_h . x) o: a gate for each token and head (G1 headwise of 2505.06708). Decayed.
struct head_gate {
    struct parameters {
        head_map<"gate_w"> weight{from_model};
    };
    static constexpr auto output(auto const& row, auto const& p) { return sigmoid(dot(row.input, p.weight)) * row.output; }
};

/// y = sigmoid(W_h x) o: a gate for each token and channel (G1 elementwise of 2505.06708). Decayed.
struct element_gate {
    struct parameters {
        head_matrix<"gate_w"> weight{from_model};
    };
    static constexpr auto output(auto const& row, auto const& p) { return sigmoid(project(p.weight, row.input)) * row.output; }
};

}  // namespace attnlab
