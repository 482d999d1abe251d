#pragma once
#include <attnlab/attention/expression.hpp>

namespace attnlab {

/// w_ij = softplus(s_ij) / sum_j softplus(s_ij) (2501.13428, without its re-weighting). The 1e-15 gives weights 0 to a row whose
/// terms all underflow.
struct softplus_attention {
    static constexpr auto summand(auto s) { return softplus(s); }
    static constexpr auto weight(auto s, auto z) { return softplus(s) / (z + 1e-15); }
};

}  // namespace attnlab
