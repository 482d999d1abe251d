#pragma once
#include <vector>

#include <attnlab/attention/symbols.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/heads.hpp>

/// \file
/// What an attention kernel is given and what it leaves for the way back. The same for every device.

namespace attnlab {

/// One call: sizes, inputs, parameters. `S` is float on the cpu and double in the reference.
template <class S>
struct attention_problem {
    index_t B = 0, H = 0, T = 0, D = 0;
    index_t width = 0;                     ///< C of `input`
    S scale = 1;                         ///< 1 / sqrt(D)
    length_rule rule = length_rule::sequence;
    index_t trained_length = 0;            ///< T of length_rule::trained
    heads<S const> q, k, v;
    S const* input = nullptr;            ///< x (B, T, C), for policies whose output joint reads row.input
    std::vector<S const*> parameters;    ///< in the policy's order, each for all heads

    /// The T of the policy's formula for a row that sees `keys`.
    double length(key_range keys) const {
        index_t const n = rule == length_rule::sequence ? T : rule == length_rule::trained ? trained_length : keys.end - keys.begin;
        return static_cast<double>(n);
    }
};

/// What forward keeps: O(T) numbers a head, and the weighted values where an output joint changes them.
template <class S>
struct attention_saved {
    tensor<S, 3> core;               ///< (B, T, H D): sum_j w_ij v_j; empty without an output joint, where it is the result itself
    tensor<S, 3> reference, sum;     ///< (B, H, T): m_i and Z_i e^-m_i

    /// Makes room. `Policy` says whether `core` is needed.
    template <class Policy>
    void resize(attention_problem<S> const& p) {
        if constexpr (Policy::has_output) core.resize({p.B, p.T, p.H * p.D});
        reference.resize({p.B, p.H, p.T});
        sum.resize({p.B, p.H, p.T});
    }
    /// The weighted values: `core`, or the result `y` where the policy has no output joint.
    template <class Policy>
    heads<S const> weighted_values(attention_problem<S> const& p, heads<S const> y) const {
        if constexpr (Policy::has_output)
            return merged_heads(view<S const, 3>(core), p.D);
        else
            return y;
    }
};

/// Where gradients go: q, k, v are assigned; input and parameters are added to.
template <class S>
struct attention_gradients {
    heads<S> q, k, v;
    S* input = nullptr;
    std::vector<S*> parameters;
};

}  // namespace attnlab
