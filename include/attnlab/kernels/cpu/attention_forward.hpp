#pragma once
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/cpu/output.hpp>
#include <attnlab/kernels/cpu/score_joint.hpp>
#include <attnlab/kernels/cpu/scratch.hpp>
#include <attnlab/kernels/cpu/threshold.hpp>
#include <attnlab/kernels/cpu/tile_watcher.hpp>
#include <attnlab/kernels/cpu/weigh_rows.hpp>

/// \file
/// Forward, the tiles of one head of k and v for all query heads that read it. The scheme is FlashAttention's (2205.14135).

namespace attnlab::detail {

/// \tparam Watch  `unwatched`, or a `tile_watcher`
template <class Policy, class Watch = unwatched>
class forward_heads {
    static constexpr bool watched = Watch::watches;
    static constexpr bool keeps_tiles = watched || !Policy::one_pass;  ///< all scores of a block of rows, not of one tile

public:
    /// Packs head `kv` of k and v of sequence b.
    forward_heads(attention_problem<float> const& p, attention_saved<float>& saved, heads<float> y, index_t b, index_t kv, Watch watch = {})
        : p_(p), saved_(saved), y_(y), b_(b), kv_(kv), weigh_(p), output_(Policy::output), watch_(std::move(watch)) {
        index_t const T = p.T, D = p.D;
        index_t const kept_tiles = keeps_tiles ? (T + tile_columns - 1) / tile_columns : 1;
        scratch room(panels_size(T, D) + T * ldd_ + tile_rows * ((kept_tiles + 2) * tile_columns + 3 * ldd_));
        kt_ = room.take(1, panels_size(T, D));
        v_ = room.take(T, D);
        scores_ = room.take(kept_tiles * tile_rows, tile_columns);
        for (float** x : {&by_sum_, &raw_}) *x = room.take(tile_rows, tile_columns);
        for (float** x : {&q_, &o_, &o_by_sum_}) *x = room.take(tile_rows, D);
        pack_panels(T, D, p.k.row(b, kv, 0), p.k.whole.position, kt_);
        pack_rows(T, D, p.v.row(b, kv, 0), p.v.whole.position, v_);
        finite_ = all_finite(v_, T * ldd_);
    }

    /// Every `parts`-th block of rows from `part` on.
    /// \param sums  (H, T): where a watcher adds column sums of these rows
    void run(index_t part, index_t parts, [[maybe_unused]] double* sums = nullptr) {
        index_t const group = p_.H / p_.kv_heads();
        for (index_t h = kv_ * group; h < (kv_ + 1) * group; ++h) {
            score_joint_rows<Policy> joint(p_, saved_, b_, h);
            for (index_t i0 = part * tile_rows; i0 < p_.T; i0 += parts * tile_rows) {
                index_t const rows = std::min(tile_rows, p_.T - i0);
                pack_rows(rows, p_.D, p_.q.row(b_, h, i0), p_.q.whole.position, q_, p_.template score_scale<Policy>());
                std::fill(o_, o_ + rows * ldd_, 0.0f);
                weigh_.start(b_, i0, rows);
                if constexpr (watched) watch_.start();
                if constexpr (Policy::one_pass)
                    one_pass(joint, i0, rows);
                else
                    two_passes(joint, h, i0, rows);
                std::copy_n(&weigh_.m[0], rows, &saved_.reference(b_, h, i0));
                std::copy_n(&weigh_.z[0], rows, &saved_.sum(b_, h, i0));
                finish(h, i0, rows);
                if constexpr (watched) watch_.look(weigh_, b_, h, i0, rows, sums + h * p_.T);
            }
        }
    }

private:
    /// Scores of a tile, after the score joint.
    void score(score_joint_rows<Policy>& joint, tile_keys const& tile, index_t i0, index_t rows, float* to) {
        score_bands(tile, p_.D, q_, ldd_, kt_, Policy::has_score ? raw_ : to);
        if constexpr (Policy::has_score)
            for (index_t r = 0; r < rows; ++r)
                joint.forward(raw_ + r * tile_columns, to + r * tile_columns, tile, tile.seen_by(r), i0 + r);
    }

    void one_pass(score_joint_rows<Policy>& joint, index_t i0, index_t rows) {
        float* f = scores_;
        each_tile<Policy>(p_, b_, i0, rows, [&](tile_keys const& tile) {
            score(joint, tile, i0, rows, f);
            if constexpr (watched) {
                watch_.scores(tile, weigh_, rows, f);
                weigh_.forward_watched(f, tile);
                watch_.weights(tile, weigh_, f);
            } else {
                weigh_.forward(f, tile);
            }
            for (index_t r = 0; r < rows; ++r)
                if (weigh_.rescale[r] != 1) scale_row(o_ + r * ldd_, weigh_.rescale[r]);
            add_values(f, tile, rows, o_);
            if constexpr (keeps_tiles) f += tile_rows * tile_columns;
        });
        for (index_t r = 0; r < rows; ++r) {
            // A row that sees no key has no Z to divide by.
            bool const none = p_.template visible<Policy>(b_, i0 + r).none();
            scale_row(o_ + r * ldd_, none ? 0 : weigher<Policy>::row_factor(weigh_.m[r], weigh_.z[r]));
        }
    }

    /// All scores of the rows are kept until their Z, or threshold, is known.
    void two_passes(score_joint_rows<Policy>& joint, index_t h, index_t i0, index_t rows) {
        std::vector<tile_keys> tiles;
        each_tile<Policy>(p_, b_, i0, rows, [&](tile_keys const& tile) {
            float* const to = scores_ + static_cast<index_t>(tiles.size()) * tile_rows * tile_columns;
            tiles.push_back(tile);
            score(joint, tile, i0, rows, to);
            if constexpr (watched) watch_.scores(tile, weigh_, rows, to);
            weigh_.gather(to, tile);
        });
        if constexpr (Policy::has_threshold)
            for (index_t r = 0; r < rows; ++r)
                weigh_.z[r] = solve_threshold(weigh_.of_row(r), scores_, tiles, r, weigh_.m[r]);

        std::fill(o_by_sum_, o_by_sum_ + rows * ldd_, 0.0f);
        std::array<float, tile_rows> slope{};  // sum_j dw_ij/dt_i
        float* w = scores_;
        for (tile_keys const& tile : tiles) {
            for (index_t r = 0; r < rows; ++r)
                slope[static_cast<std::size_t>(r)] +=
                    weigh_.of_row(r).weigh(w + r * tile_columns, by_sum_ + r * tile_columns, tile.seen_by(r), tile.padded(),
                                           weigh_.m[r], weigh_.z[r], weigh_.lift[r]);
            if constexpr (watched) watch_.weights(tile, weigh_, w);
            add_values(w, tile, rows, o_);
            add_values(by_sum_, tile, rows, o_by_sum_);
            w += tile_rows * tile_columns;
        }
        for (index_t r = 0; r < rows; ++r) {
            // dt/ds_j = (dw_j/ds_j) / sum_k -dw_k/dt: the threshold's share of every gradient.
            if constexpr (Policy::has_threshold) {
                float const s = slope[static_cast<std::size_t>(r)];
                scale_row(o_by_sum_ + r * ldd_, s == 0 ? 0 : -1 / s);
            }
            std::copy_n(o_by_sum_ + r * ldd_, p_.D, &saved_.by_sum(b_, i0 + r, h * p_.D));
        }
    }

    /// The output joint on the weighted values.
    void finish(index_t h, index_t i0, index_t rows) {
        auto const parameters = of_head<Policy>(p_.parameters, p_.sizes(), h);
        std::array<float const*, Policy::parameter_count + 1> projections{};
        for (index_t r = 0; r < rows; ++r) {
            index_t const t = i0 + r;
            float const* const o = o_ + r * ldd_;
            if constexpr (Policy::has_output) {
                std::copy_n(o, p_.D, saved_.core.rows(p_.D).row(b_, h, t));
                auto row = p_.template row<Policy>(b_, h, t, parameters.data());
                look_at_output<Policy>(row, p_, saved_, b_, h, t, o, projections);
                output_.forward(row, y_.row(b_, h, t));
                if constexpr (watched && Policy::has_slot) watch_.slot[r] = slot_share<one_lane<float>, Policy>(row);
            } else {
                std::copy_n(o, p_.D, y_.row(b_, h, t));
            }
        }
    }

    /// o += w v for a tile. Where v holds a NaN or an infinity, over the keys that each row sees: 0 times those would be a NaN.
    void add_values(float const* w, tile_keys const& tile, index_t rows, float* o) const {
        if (finite_) return add_to_rows(tile, w, v_, ldd_, o);
        float const* const values = v_ + tile.first * ldd_;
        for (index_t r = 0; r < rows; ++r)
            for (index_t c = 0; c < tile.count; ++c)
                if (tile.seen_by(r) >> c & 1)
                    multiply(1, ldd_, 1, w + r * tile_columns + c, tile_columns, 1, values + c * ldd_, ldd_, o + r * ldd_, ldd_,
                             true);
    }
    void scale_row(float* row, float by) const {
        for (index_t c = 0; c < ldd_; c += register_width) store_aligned(row + c, load_aligned(row + c) * lanes(by));
    }
    /// Whether `n` numbers, whole registers of them, hold no NaN and no infinity: x * 0 is 0 for all others.
    static bool all_finite(float const* x, index_t n) {
        lanes sum(0.0f);
        for (index_t i = 0; i < n; i += register_width) sum = fma(load_aligned(x + i), lanes(0.0f), sum);
        return hsum(sum) == 0;
    }

    attention_problem<float> const& p_;
    attention_saved<float>& saved_;
    heads<float> y_;
    index_t b_, kv_, ldd_ = rounded_up(p_.D);
    row_weigher<Policy> weigh_;
    row_program<simd_lanes, Policy, std::remove_const_t<decltype(Policy::output)>> output_;
    Watch watch_;
    bool finite_;
    float *kt_, *v_;           // K in panels, (T, D)
    float *scores_, *by_sum_;  // (rows, columns): scores, then f(s) or w; dw/dZ
    float* raw_;               // (rows, columns): before the score joint
    float *q_, *o_, *o_by_sum_;  // (rows, D)
};

}  // namespace attnlab::detail
