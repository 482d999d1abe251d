#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = phi(s_ij) / sum_j phi(s_ij), phi(s) = elu(s) + 1: s + 1 above 0, exp(s) below (2410.10781). The 1e-15 gives weights 0 to a
/// row whose terms all underflow.
struct elu_attention {
    static constexpr auto summand(auto s) { return phi(s); }
    static constexpr auto weight(auto s, auto z) { return phi(s) / (z + 1e-15); }

private:
    static constexpr auto phi(auto s) { return relu(s) + exp_below(s); }
};

}  // namespace attnlab
