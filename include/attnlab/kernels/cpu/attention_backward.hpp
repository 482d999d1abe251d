#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/cpu/score_joint.hpp>
#include <attnlab/kernels/cpu/scratch.hpp>
#include <attnlab/kernels/cpu/weigh_rows.hpp>

/// \file
/// Backward, the tiles of one head of k and v for all query heads that read it, in one sweep for any weighting: a weight f(s)
/// g(Z) needs only do . o and dL, any other one row of D more from forward (docs/kernels.md).

namespace attnlab::detail {

/// What the tiles are given on the way back, and where they leave what several of them add to. Each part of the rows has a
/// sequence of its own there: part i of sequence b is `i B + b`.
struct weighted_gradients {
    heads<float const> weighted, d_weighted;  ///< sum_j w_ij v_j and its gradient
    view<float const, 3> d_log_normalizer;    ///< (B, H, T), where an output joint reads L
    heads<float> k, v;                        ///< assigned
    view<float, 3> tokens;                    ///< (parts B, H, T), gradients of token numbers
    std::vector<float*> score_parameters;     ///< gradients of what a score joint learns, by parameter, of this part
};

template <class Policy>
class backward_heads {
public:
    /// Packs head `kv` of k and v of sequence b.
    backward_heads(attention_problem<float> const& p, attention_saved<float> const& saved, weighted_gradients const& given,
                   heads<float> dq, index_t b, index_t kv)
        : p_(p), saved_(saved), given_(given), to_(dq), b_(b), kv_(kv), weigh_(p) {
        index_t const T = p.T, D = p.D;
        scratch room(2 * panels_size(T, D) + 3 * T * ldd_ + tile_rows * (4 * tile_columns + 3 * ldd_));
        for (float** x : {&kt_, &vt_}) *x = room.take(1, panels_size(T, D));
        for (float** x : {&k_, &dk_, &dv_}) *x = room.take(T, D);
        for (float** x : {&w_, &d_scores_, &raw_, &d_raw_}) *x = room.take(tile_rows, tile_columns);
        for (float** x : {&q_, &d_o_, &dq_}) *x = room.take(tile_rows, D);
        pack_panels(T, D, p.k.row(b, kv, 0), p.k.whole.position, kt_);
        pack_panels(T, D, p.v.row(b, kv, 0), p.v.whole.position, vt_);
        pack_rows(T, D, p.k.row(b, kv, 0), p.k.whole.position, k_);
        std::fill(dk_, dk_ + T * ldd_, 0.0f);
        std::fill(dv_, dv_ + T * ldd_, 0.0f);
    }

    /// Every `parts`-th block of rows from `part` on.
    void run(index_t part, index_t parts) {
        index_t const T = p_.T, D = p_.D, group = p_.H / p_.kv_heads(), own = part * p_.B + b_;
        for (index_t h = kv_ * group; h < (kv_ + 1) * group; ++h) {
            score_joint_rows<Policy> joint(p_, saved_, b_, h, given_.score_parameters,
                                           Policy::has_tokens ? &given_.tokens(own, h, 0) : nullptr);
            for (index_t i0 = part * tile_rows; i0 < T; i0 += parts * tile_rows) run_rows(joint, h, i0, std::min(tile_rows, T - i0));
        }
        for (index_t t = 0; t < T; ++t) {
            std::copy_n(dk_ + t * ldd_, D, given_.k.row(own, kv_, t));
            std::copy_n(dv_ + t * ldd_, D, given_.v.row(own, kv_, t));
        }
    }

private:
    void run_rows(score_joint_rows<Policy>& joint, index_t h, index_t i0, index_t rows) {
        float const scale = p_.template score_scale<Policy>();
        pack_rows(rows, p_.D, p_.q.row(b_, h, i0), p_.q.whole.position, q_, scale);
        pack_rows(rows, p_.D, given_.d_weighted.row(b_, h, i0), given_.d_weighted.position, d_o_);
        std::fill(dq_, dq_ + rows * ldd_, 0.0f);
        weigh_.start(b_, i0, rows);
        std::array<row_numbers, tile_rows> known;
        for (index_t r = 0; r < rows; ++r) known[static_cast<std::size_t>(r)] = look_at(h, i0, r);
        each_tile<Policy>(p_, b_, i0, rows, [&](tile_keys const& tile) {
            score_bands(tile, p_.D, q_, ldd_, kt_, Policy::has_score ? raw_ : w_);
            score_bands(tile, p_.D, d_o_, ldd_, vt_, d_scores_);
            for (index_t r = 0; r < rows; ++r) {
                columns_seen const seen = tile.seen_by(r);
                index_t const row = r * tile_columns;
                if constexpr (Policy::has_score) joint.forward(raw_ + row, w_ + row, tile, seen, i0 + r);
                weigh_.of_row(r).backward(w_ + row, d_scores_ + row, seen, tile.padded(), known[static_cast<std::size_t>(r)]);
                if constexpr (Policy::has_score) joint.backward(d_scores_ + row, d_raw_ + row, seen);
            }
            float const* const ds = Policy::has_score ? d_raw_ : d_scores_;
            add_to_keys(tile, w_, d_o_, ldd_, dv_);
            add_to_keys(tile, ds, q_, ldd_, dk_);
            add_to_rows(tile, ds, k_, ldd_, dq_);
        });
        for (index_t r = 0; r < rows; ++r) {
            float* const to = to_.row(b_, h, i0 + r);
            // The output joint has already left its share of dq there.
            for (index_t c = 0; c < p_.D; ++c) to[c] = dq_[r * ldd_ + c] * scale + (Policy::has_output ? to[c] : 0.0f);
        }
    }

    /// What row r of the block at i0 knows.
    row_numbers look_at(index_t h, index_t i0, index_t r) const {
        using one = weigher<Policy>;
        index_t const t = i0 + r;
        row_numbers n{saved_.reference(b_, h, t), saved_.sum(b_, h, t), 1, 1, 0};
        if constexpr (one::mixes) n.lift = std::exp(-n.m);
        if constexpr (Policy::one_pass) n.factor = one::row_factor(n.m, n.z);
        if constexpr (Policy::has_sum || Policy::has_threshold) n.adjoint = row_adjoint(h, t, d_o_ + r * ldd_);
        return n;
    }
    /// R of query t: what its Z, or threshold, passes on to each score.
    float row_adjoint(index_t h, index_t t, float const* d_o) const {
        if (p_.template visible<Policy>(b_, t).none()) return 0;
        float const* const o = Policy::one_pass ? given_.weighted.row(b_, h, t) : &saved_.by_sum(b_, t, h * p_.D);
        lanes product(0.0f);
        each_lanes(p_.D, [&](index_t c, auto part) { product = fma(load(d_o + c, part), load(o + c, part), product); });
        float const d_l = Policy::has_output && Policy::reads_log_normalizer ? given_.d_log_normalizer(b_, h, t) : 0.0f;
        if constexpr (Policy::one_pass)
            return weigher<Policy>::row_adjoint(saved_.reference(b_, h, t), saved_.sum(b_, h, t), hsum(product), d_l);
        else
            return hsum(product) + (d_l == 0 ? 0 : d_l / saved_.sum(b_, h, t));
    }

    attention_problem<float> const& p_;
    attention_saved<float> const& saved_;
    weighted_gradients const& given_;
    heads<float> to_;
    index_t b_, kv_, ldd_ = rounded_up(p_.D);
    row_weigher<Policy> weigh_;
    float *kt_, *vt_;         // in panels
    float *k_, *dk_, *dv_;    // (T, D)
    float *q_, *d_o_, *dq_;   // (rows, D)
    float *w_, *d_scores_;    // (rows, columns): scores, then weights; do . v, then gradients of the scores
    float *raw_, *d_raw_;     // (rows, columns): before the score joint
};

}  // namespace attnlab::detail
