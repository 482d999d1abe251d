#pragma once
#include <attnlab/attention/expression.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// w_ij = clip((zeta - gamma) p_ij + gamma, 0, 1), p the softmax: weights may be exactly 0, or 1 where zeta > 1 (2306.12929).
template <real Zeta = 1, real Gamma = -0.03>
struct clipped_softmax {
    static constexpr auto summand(auto s) { return exp(s); }
    static constexpr auto weight(auto s, auto z) { return clamp((Zeta - Gamma) * (exp(s) / z) + Gamma, 0, 1); }
};

/// The same with gamma = -alpha / T, so that one alpha does for sequences of all lengths (2306.12929). Which T: see `length_rule`.
template <real Alpha, real Zeta = 1>
struct clipped_softmax_by_length {
    static constexpr auto summand(auto s) { return exp(s); }
    static constexpr auto weight(auto s, auto z, auto row) {
        auto const gamma = -Alpha / row.length;
        return clamp((Zeta - gamma) * (exp(s) / z) + gamma, 0, 1);
    }
};

}  // namespace attnlab
