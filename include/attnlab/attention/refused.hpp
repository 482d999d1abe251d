#pragma once

/// \file
/// Methods that attention<...> cannot express, by name: each compiles where it is included, and says why where it is used.

namespace attnlab {

namespace detail {
template <class>
inline constexpr bool expressible = false;
}

/// w_ij = sigmoid(s_ij) prod_{j < k < i} (1 - sigmoid(s_ik)) (2410.17980).
struct stick_breaking {
    template <class S>
    static constexpr auto weight(S s) {
        static_assert(detail::expressible<S>, "stick_breaking needs a running scan along the keys, which attention<...> has no joint for");
        return s;
    }
};

/// Positions counted by gates, sum_{j <= k <= i} sigmoid(q_i . k_k) (CoPE, 2405.18719).
struct contextual_position {
    template <class S>
    static constexpr auto score(S s) {
        static_assert(detail::expressible<S>,
                      "contextual_position needs a running scan along the keys, which attention<...> has no joint for");
        return s;
    }
};

/// s_ij less what earlier queries of head 0 masked of key j (2410.02703).
struct selective_attention {
    template <class S>
    static constexpr auto score(S s) {
        static_assert(detail::expressible<S>,
                      "selective_attention needs a running sum along the queries and mixes heads, which attention<...> has no joint for");
        return s;
    }
};

/// A recurrent state in place of weights (2406.06484, 2412.06464).
struct delta_rule {
    template <class S>
    static constexpr auto weight(S s) {
        static_assert(detail::expressible<S>,
                      "delta_rule carries a state from token to token and has no weights, which attention<...> is made of");
        return s;
    }
};

/// Scores and weights of all heads multiplied with H x H matrices (2003.02436).
struct talking_heads {
    template <class S>
    static constexpr auto score(S s) {
        static_assert(detail::expressible<S>, "talking_heads mixes heads, and attention<...> computes each head by itself");
        return s;
    }
};

/// Scores convolved over queries, keys and heads (2504.00927).
struct multi_token {
    template <class S>
    static constexpr auto score(S s) {
        static_assert(detail::expressible<S>,
                      "multi_token mixes heads and neighbouring scores, and attention<...> computes each score of each head by itself");
        return s;
    }
};

/// The difference of two softmaxes (2410.05258).
struct differential {
    template <class S>
    static constexpr auto weight(S s) {
        static_assert(detail::expressible<S>,
                      "differential mixes heads, one less another, and attention<...> computes each head by itself");
        return s;
    }
};

}  // namespace attnlab
