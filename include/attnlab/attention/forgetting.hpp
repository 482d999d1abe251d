#pragma once
#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/per_token.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// s <- s + c_i - c_j with c_t = sum_{u <= t} log f_u and the forget gate f_u = sigmoid(w_h . x_u + b_h) (FoX, 2503.02130). b starts at
/// `Bias`: 0 as in its code, gates of a half; 4 would make them .98. w is decayed, b is not.
template <real Bias = 0>
struct forgetting {
    struct parameters {
        head_map<"fgate_proj.weight"> weight{from_model};
        head_scalar<"fgate_proj.bias"> bias{constant(Bias)};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        auto const c = cumulative_sum(-softplus(-(dot(at.input, p.weight) + p.bias)));   // log sigmoid(a) = -softplus(-a)
        return s + c.at_query() - c.at_key();
    }
};

}  // namespace attnlab
