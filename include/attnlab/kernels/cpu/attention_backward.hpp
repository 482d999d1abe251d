#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/cpu/score_tiles.hpp>
#include <attnlab/kernels/cpu/scratch.hpp>

/// \file
/// Backward, the tiles of one head of k and v for all query heads that read it, in one sweep for any weighting: a weight f(s)
/// g(Z) needs only do . o and dL, any other one row of D more from forward (docs/kernels.md).

namespace attnlab::detail {

/// What the tiles are given on the way back.
struct weighted_gradients {
    heads<float const> weighted, d_weighted;  ///< sum_j w_ij v_j and its gradient
    view<float const, 3> d_log_normalizer;    ///< (B, H, T), where an output joint reads L
    std::vector<float*> score_parameters;     ///< gradients of what a score joint learns, by parameter
    view<float, 3> d_tokens;                  ///< (B, H, T), gradients of token numbers
};

template <class Policy>
class backward_heads {
public:
    /// Packs head `kv` of k and v of sequence b.
    backward_heads(attention_problem<float> const& p, attention_saved<float> const& saved, weighted_gradients const& given,
                   attention_gradients<float> const& to, index_t b, index_t kv)
        : p_(p), saved_(saved), given_(given), to_(to), b_(b), kv_(kv), weigh_(p) {
        index_t const T = p.T, D = p.D;
        scratch room(2 * D * ldt_ + 5 * T * ldd_ + tile_rows * (4 * tile_columns + ldd_) + 64);
        for (float** x : {&kt_, &vt_}) *x = room.take(D, T);
        for (float** x : {&q_, &k_, &d_o_, &dk_, &dv_}) *x = room.take(T, D);
        for (float** x : {&w_, &d_scores_, &raw_, &d_raw_}) *x = room.take(tile_rows, tile_columns);
        dq_ = room.take(tile_rows, D);
        pack_transposed(T, D, p.k.row(b, kv, 0), p.k.position, kt_);
        pack_transposed(T, D, p.v.row(b, kv, 0), p.v.position, vt_);
        pack_rows(T, D, p.k.row(b, kv, 0), p.k.position, k_);
        std::fill(dk_, dk_ + T * ldd_, 0.0f);
        std::fill(dv_, dv_ + T * ldd_, 0.0f);
    }

    void run() {
        index_t const T = p_.T, D = p_.D, group = p_.H / p_.kv_heads();
        for (index_t h = kv_ * group; h < (kv_ + 1) * group; ++h) {
            pack_rows(T, D, p_.q.row(b_, h, 0), p_.q.position, q_);
            pack_rows(T, D, given_.d_weighted.row(b_, h, 0), given_.d_weighted.position, d_o_);
            score_joint_rows<Policy> joint(p_, saved_, b_, h, given_.score_parameters,
                                           Policy::has_tokens ? &given_.d_tokens(b_, h, 0) : nullptr);
            for (index_t i0 = 0; i0 < T; i0 += tile_rows) run_rows(joint, h, i0, std::min(tile_rows, T - i0));
        }
        for (index_t t = 0; t < T; ++t) {
            std::copy_n(dk_ + t * ldd_, D, to_.k.row(b_, kv_, t));
            std::copy_n(dv_ + t * ldd_, D, to_.v.row(b_, kv_, t));
        }
    }

private:
    void run_rows(score_joint_rows<Policy>& joint, index_t h, index_t i0, index_t rows) {
        weigh_.start(b_, i0, rows);
        std::array<float, tile_rows> adjoint;
        for (index_t r = 0; r < rows; ++r) adjoint[static_cast<std::size_t>(r)] = row_adjoint(h, i0 + r);
        std::fill(dq_, dq_ + rows * ldd_, 0.0f);
        each_tile<Policy>(p_, b_, i0, rows, [&](tile_keys const& tile) {
            index_t const j0 = tile.first, padded = tile.padded();
            float const *const q = q_ + i0 * ldd_, *const d_o = d_o_ + i0 * ldd_;
            multiply(rows, padded, p_.D, q, ldd_, 1, kt_ + j0, ldt_, Policy::has_score ? raw_ : w_, tile_columns, false);
            multiply(rows, padded, p_.D, d_o, ldd_, 1, vt_ + j0, ldt_, d_scores_, tile_columns, false);
            for (index_t r = 0; r < rows; ++r) {
                columns_seen const seen = tile.seen_by(r);
                index_t const row = r * tile_columns;
                if constexpr (Policy::has_score) joint.forward(raw_ + row, w_ + row, tile, seen, i0 + r);
                weigh_.of_row(r).backward(w_ + row, d_scores_ + row, seen, padded, saved_.reference(b_, h, i0 + r),
                                          saved_.sum(b_, h, i0 + r), adjoint[static_cast<std::size_t>(r)]);
                if constexpr (Policy::has_score) joint.backward(d_scores_ + row, d_raw_ + row, seen);
            }
            float const* const ds = Policy::has_score ? d_raw_ : d_scores_;
            multiply(tile.count, ldd_, rows, w_, 1, tile_columns, d_o, ldd_, dv_ + j0 * ldd_, ldd_, true);
            multiply(tile.count, ldd_, rows, ds, 1, tile_columns, q, ldd_, dk_ + j0 * ldd_, ldd_, true);
            multiply(rows, ldd_, tile.count, ds, tile_columns, 1, k_ + j0 * ldd_, ldd_, dq_, ldd_, true);
        });
        for (index_t r = 0; r < rows; ++r) {
            float* const to = to_.q.row(b_, h, i0 + r);
            // The output joint has already left its share of dq there.
            for (index_t c = 0; c < p_.D; ++c) to[c] = dq_[r * ldd_ + c] + (Policy::has_output ? to[c] : 0.0f);
        }
    }

    /// R of query t: what its Z, or threshold, passes on to each score.
    float row_adjoint([[maybe_unused]] index_t h, [[maybe_unused]] index_t t) const {
        if constexpr (Policy::has_sum || Policy::has_threshold) {
            if (p_.template visible<Policy>(b_, t).none()) return 0;
            float const* const o = Policy::one_pass ? given_.weighted.row(b_, h, t) : &saved_.by_sum(b_, t, h * p_.D);
            lanes product(0.0f);
            each_lanes(p_.D,
                       [&](index_t c, auto part) { product = fma(load(d_o_ + t * ldd_ + c, part), load(o + c, part), product); });
            float const d_l = Policy::has_output && Policy::reads_log_normalizer ? given_.d_log_normalizer(b_, h, t) : 0.0f;
            if constexpr (Policy::one_pass)
                return weigher<Policy>::row_adjoint(saved_.reference(b_, h, t), saved_.sum(b_, h, t), hsum(product), d_l);
            else
                return hsum(product) + (d_l == 0 ? 0 : d_l / saved_.sum(b_, h, t));
        } else {
            return 0;
        }
    }

    attention_problem<float> const& p_;
    attention_saved<float> const& saved_;
    weighted_gradients const& given_;
    attention_gradients<float> const& to_;
    index_t b_, kv_, ldt_ = rounded_up(p_.T), ldd_ = rounded_up(p_.D);
    weighers<Policy> weigh_;
    float *kt_, *vt_;                   // (D, T) transposed
    float *q_, *k_, *d_o_, *dk_, *dv_;  // (T, D)
    float *w_, *d_scores_;              // (rows, columns): scores, then weights; do . v, then gradients of the scores
    float *raw_, *d_raw_;               // (rows, columns): before the score joint
    float* dq_;                         // (rows, D)
};

}  // namespace attnlab::detail
