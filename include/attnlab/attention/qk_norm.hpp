#pragma once
#include <attnlab/attention/parameters.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// q <- g_q q / sqrt(mean(q^2) + eps), k likewise: RMS norm over D with gains shared by the heads (2302.05442, Qwen 3 in 2505.09388). Gains
/// start at 1, not decayed. Before a rope in the list, as in Qwen 3.
template <real Epsilon = 1e-6>
struct qk_norm {
    struct parameters {
        shared_vector<"q_norm"> query{ones};
        shared_vector<"k_norm"> key{ones};
    };
    static constexpr auto query(auto const& row, auto const& p) {
        return p.query * row.query / sqrt(dot(row.query, row.query) / row.head_size + Epsilon);
    }
    static constexpr auto key(auto const& row, auto const& p) {
        return p.key * row.key / sqrt(dot(row.key, row.key) / row.head_size + Epsilon);
    }
};

/// s = g_h cos(q, k) in place of q.k / sqrt(D) (2010.04245). g starts at log2(L^2 - L), L the `Length` of most texts; not decayed.
template <index_t Length, real Epsilon = 1e-12>
struct qk_norm_l2 {
    static_assert(Length > 1, "qk_norm_l2<Length>: expected the length of most texts, at least 2");
    struct parameters {
        head_scalar<"qk_scale"> factor{constant((logarithm(double{Length}) + logarithm(double{Length - 1})) / logarithm(2))};
    };
    static constexpr auto query(auto const& row, auto const& p) {
        return p.factor / (row.scale * sqrt(dot(row.query, row.query) + Epsilon)) * row.query;
    }
    static constexpr auto key(auto const& row) { return row.key / sqrt(dot(row.key, row.key) + Epsilon); }
};

}  // namespace attnlab
