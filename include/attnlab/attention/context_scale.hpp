#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// y = S o with S = 2 sigmoid(x W + b), a number for each head and token. Variant (e) of 2502.06415 (model_ca_softmax.py). b = 0 makes
/// S = 1 on average at first; present also in models without biases. W is decayed, b is not.
struct context_scale {
    struct parameters {
        head_map<"context_scale.0.weight"> weight{from_model};
        head_scalar<"context_scale.0.bias"> bias{zeros};
    };
    static constexpr auto output(auto const& row, auto const& p) {
        return 2 * sigmoid(dot(row.input, p.weight) + p.bias) * row.output;
    }
};

}  // namespace attnlab
