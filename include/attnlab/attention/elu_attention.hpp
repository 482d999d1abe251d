#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = phi(s_ij) / sum_j phi(s_ij), phi(s) = elu(s) + 1: s + 1 above 0, exp(s) below (2410.10781). The 1e-15 gives weights 0 to a
/// row whose terms all underflow.
struct elu_attention {
    static constexpr auto summand(auto s) { return phi(s); }
    static constexpr auto weight(auto s, auto z) { return phi(s) / (z + 1e-15); }

private:
    // exp(s) in the language is relative to the row's largest score; below 0 the quotient of two sigmoids is the same number as it is.
    static constexpr auto phi(auto s) {
        auto const below = minimum(s, 0);
        return relu(s) + sigmoid(below) / sigmoid(-below);
    }
};

}  // namespace attnlab
