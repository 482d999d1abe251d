#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// y = sigmoid(L - b_h) o: softmax with one more logit b_h in the sum and no value (gpt-oss, 2508.10925). b starts normal with 0.02, not
/// decayed; `softmax1` is b = 0.
struct sink {
    struct parameters {
        head_scalar<"sink"> logit{normal(0.02)};
    };
    static constexpr auto slot_share(auto const& row, auto const& p) { return sigmoid(p.logit - row.log_normalizer); }
    static constexpr auto output(auto const& row, auto const& p) { return sigmoid(row.log_normalizer - p.logit) * row.output; }
};

}  // namespace attnlab
