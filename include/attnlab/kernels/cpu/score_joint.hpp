#pragma once
#include <array>
#include <bit>
#include <vector>

#include <attnlab/attention/by_distance.hpp>
#include <attnlab/kernels/cpu/tile_keys.hpp>
#include <attnlab/kernels/cpu/tokens.hpp>

namespace attnlab::detail {

/// The score joint on rows of tiles of one head.
template <class Policy>
class score_joint_rows {
public:
    /// \param gradients  by parameter, for all heads; empty on the way forward
    score_joint_rows(attention_problem<float> const& p, attention_saved<float> const& saved, index_t b, index_t h,
                     std::vector<float*> const& gradients = {}, float* d_tokens = nullptr)
        : p_(p), b_(b), values_(of_head<Policy>(p.parameters, p.sizes(), h)), program_(formula) {
        row_ = p.template row<Policy>(b, h, 0, values_.data());
        if (!gradients.empty()) {
            gradients_ = of_head<Policy>(gradients, p.sizes(), h);
            row_.gradients = gradients_.data();
        }
        if constexpr (Policy::has_tokens) row_.tokens = &saved.tokens(b, h, 0);
        row_.d_query_tokens = row_.d_key_tokens = d_tokens;
    }
    score_joint_rows(score_joint_rows const&) = delete;
    score_joint_rows& operator=(score_joint_rows const&) = delete;

    /// Raw products of query i become scores, from the first key of the tile that it sees to the last.
    void forward(float const* raw, float* to, tile_keys const& tile, columns_seen seen, index_t i) {
        if (!seen) return;
        first_ = std::countr_zero(seen);
        p_.template move<Policy>(row_, b_, i);
        row_.first_key = tile.first + first_;
        row_.keys = 64 - std::countl_zero(seen) - first_;
        row_.source = raw + first_;
        program_.forward(row_, to + first_);
    }
    /// Right after `forward` on that row: gradients by the scores become, in `d_raw`, gradients by the raw products; parameters
    /// and tokens get theirs.
    void backward(float const* d_scores, float* d_raw, columns_seen seen) {
        std::fill(d_raw, d_raw + tile_columns, 0.0f);
        if (!seen) return;
        row_.d_source = d_raw + first_;
        program_.backward_after_forward(row_, d_scores + first_);
    }

private:
    static constexpr auto formula = expr::gathered_by_distance(Policy::score);

    attention_problem<float> const& p_;
    index_t b_, first_ = 0;
    std::array<float const*, Policy::parameter_count + 1> values_;
    std::array<float*, Policy::parameter_count + 1> gradients_{};
    row_point<float> row_;
    row_program<simd_lanes, Policy, std::remove_const_t<decltype(formula)>> program_;  // after what it passes gradients on to
};

}  // namespace attnlab::detail
