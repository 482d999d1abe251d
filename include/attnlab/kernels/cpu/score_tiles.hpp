#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <vector>

#include <attnlab/kernels/cpu/tile.hpp>
#include <attnlab/kernels/cpu/tokens.hpp>
#include <attnlab/kernels/cpu/weigh.hpp>

/// \file
/// The tiles of one head's scores: which there are under the mask, what the score joint makes of them, and the weigher of each
/// row.

namespace attnlab::detail {

inline constexpr index_t tile_rows = 64, tile_columns = 64;

/// A tile: keys first .. first + count, and which of them each row sees.
struct tile_keys {
    index_t first, count;
    std::array<columns_seen, tile_rows> seen;
    columns_seen seen_by(index_t row) const { return seen[static_cast<std::size_t>(row)]; }
    /// Columns, rounded up to whole registers.
    index_t padded() const { return rounded_up(count); }
};

/// Calls `body(tile)` for each tile of keys that any of the rows [i0, i0 + rows) sees, in order. Work goes with the tiles that
/// the mask's ranges touch, not with T.
template <class Policy, class Body>
void each_tile(attention_problem<float> const& p, index_t b, index_t i0, index_t rows, Body body) {
    using visible = visible_keys<typename Policy::mask>;
    std::array<std::optional<visible>, tile_rows> row;
    for (index_t r = 0; r < rows; ++r) row[static_cast<std::size_t>(r)].emplace(p.template visible<Policy>(b, i0 + r));
    index_t next = 0;
    for (std::size_t range = 0; range < visible::range_count; ++range) {
        key_range all{p.T, 0};
        for (index_t r = 0; r < rows; ++r) {
            key_range const k = row[static_cast<std::size_t>(r)]->ranges()[range];
            if (k.begin < k.end) all = {std::min(all.begin, k.begin), std::max(all.end, k.end)};
        }
        for (index_t j0 = std::max(next, all.begin / tile_columns * tile_columns); j0 < all.end; j0 += tile_columns) {
            next = j0 + tile_columns;
            tile_keys tile{j0, std::min(tile_columns, p.T - j0), {}};
            columns_seen any = 0;
            for (index_t r = 0; r < rows; ++r)
                any |= tile.seen[static_cast<std::size_t>(r)] = row[static_cast<std::size_t>(r)]->bits(j0, tile.count);
            if (any) body(static_cast<tile_keys const&>(tile));
        }
    }
}

/// The weigher of each row: one for the call, or one a row where the weighting reads how many keys the row sees.
template <class Policy>
class weighers {
public:
    explicit weighers(attention_problem<float> const& p)
        : p_(p),
          per_row_(Policy::weight_reads_lengths &&
                   (p.rule == length_rule::visible || expr::mentions<expr::visible_tag, decltype(Policy::weight)>)),
          one_(scale(), p.lengths(p.T)) {}

    /// Before rows i0, i0 + 1, ... of sequence b.
    void start(index_t b, index_t i0, index_t rows) {
        if (!per_row_) return;
        each_.clear();
        for (index_t r = 0; r < rows; ++r)
            each_.emplace_back(scale(), p_.lengths(p_.template visible<Policy>(b, i0 + r).count()));
    }
    weigher<Policy> const& of_row(index_t r) const { return per_row_ ? each_[static_cast<std::size_t>(r)] : one_; }

private:
    float scale() const { return Policy::has_score ? 1.0f : p_.scale; }  // a score joint scales by itself
    attention_problem<float> const& p_;
    bool per_row_;
    weigher<Policy> one_;
    std::vector<weigher<Policy>> each_;
};

/// The score joint on rows of tiles of one head.
template <class Policy>
class score_joint_rows {
public:
    /// \param gradients  by parameter, for all heads; empty on the way forward
    score_joint_rows(attention_problem<float> const& p, attention_saved<float> const& saved, index_t b, index_t h,
                     std::vector<float*> const& gradients = {}, float* d_tokens = nullptr)
        : p_(p), b_(b), values_(of_head<Policy>(p.parameters, p.sizes(), h)), program_(Policy::score) {
        row_ = p.template row<Policy>(b, h, 0, values_.data());
        if (!gradients.empty()) {
            gradients_ = of_head<Policy>(gradients, p.sizes(), h);
            row_.gradients = gradients_.data();
        }
        if constexpr (Policy::has_tokens) row_.tokens = &saved.tokens(b, h, 0);
        row_.d_tokens = d_tokens;
    }
    score_joint_rows(score_joint_rows const&) = delete;
    score_joint_rows& operator=(score_joint_rows const&) = delete;

    /// Raw products of query i become scores, from the first key of the tile that it sees to the last. `to` may be `raw`.
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
    attention_problem<float> const& p_;
    index_t b_, first_ = 0;
    std::array<float const*, Policy::parameter_count + 1> values_;
    std::array<float*, Policy::parameter_count + 1> gradients_{};
    row_point<float> row_;
    row_program<simd_lanes, Policy, std::remove_const_t<decltype(Policy::score)>> program_;
};

}  // namespace attnlab::detail
