#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = exp(s_ij) / (1 + sum_j exp(s_ij)): a head may attend to nothing (Miller, "Attention is off by one", 2023; 2410.17174).
/// The same as `sink` with b = 0.
struct softmax1 {
    static constexpr auto summand(auto s) { return exp(s); }
    static constexpr auto weight(auto s, auto z) { return exp(s) / (1 + z); }
};

}  // namespace attnlab
