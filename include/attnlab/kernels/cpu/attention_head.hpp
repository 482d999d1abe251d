#pragma once
#include <algorithm>

#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/cpu/output.hpp>
#include <attnlab/kernels/cpu/score_tiles.hpp>
#include <attnlab/kernels/cpu/threshold.hpp>
#include <attnlab/kernels/cpu/tile.hpp>

/// \file
/// The tiles of one head of k and v and of all query heads that read it. The scheme is FlashAttention's (2205.14135); the backward of
/// a weight f(s) g(Z) needs only do . o and dL, that of any other weight one row more from forward (docs/kernels.md).

namespace attnlab::detail {

/// Memory of one thread, kept from call to call.
class scratch {
public:
    /// Room for all that `take` will ask for.
    explicit scratch(index_t count) {
        if (memory().size() < static_cast<std::size_t>(count)) memory().resize(static_cast<std::size_t>(count));
        next_ = memory().data();
    }
    float* take(index_t rows, index_t columns) {
        float* p = next_;
        next_ += rows * rounded_up(columns);
        return p;
    }

private:
    static buffer<float>& memory() {
        static thread_local buffer<float> m;
        return m;
    }
    float* next_;
};

/// Whether `n` numbers, whole registers of them, hold no NaN and no infinity: x * 0 is 0 for all others.
inline bool all_finite(float const* x, index_t n) {
    lanes sum(0.0f);
    for (index_t i = 0; i < n; i += register_width) sum = fma(load_aligned(x + i), lanes(0.0f), sum);
    return hsum(sum) == 0;
}

/// o += w v for a tile. Where v holds a NaN or an infinity, over the keys that each row sees: 0 times those would be a NaN.
inline void add_values(float const* w, tile_keys const& tile, index_t rows, float const* v, index_t ldd, bool finite, float* o, bool add) {
    float const* const values = v + tile.first * ldd;
    if (finite) return multiply(rows, ldd, tile.count, w, tile_columns, 1, values, ldd, o, ldd, add);
    for (index_t r = 0; r < rows; ++r) {
        if (!add) std::fill(o + r * ldd, o + (r + 1) * ldd, 0.0f);
        for (index_t c = 0; c < tile.count; ++c)
            if (tile.seen[static_cast<std::size_t>(r)] >> c & 1)
                multiply(1, ldd, 1, w + r * tile_columns + c, tile_columns, 1, values + c * ldd, ldd, o + r * ldd, ldd, true);
    }
}
inline void scale_row(float* row, index_t n, float by) {
    for (index_t c = 0; c < n; c += register_width) store_aligned(row + c, load_aligned(row + c) * lanes(by));
}

/// K transposed and V of one head, packed once for all query heads that read them.
struct packed_keys {
    float* kt;   ///< (D, T)
    float* v;    ///< (T, D)
    bool finite;
};

template <class Policy>
void forward_rows(attention_problem<float> const& p, attention_saved<float>& saved, packed_keys const& keys, float* const scores, float* const by_sum,
                  float* const o, float* const o_by_sum, weighers<Policy>& weigh, score_joint_rows<Policy>& joint, index_t b, index_t h, index_t i0,
                  index_t rows) {
    index_t const D = p.D, ldt = rounded_up(p.T), ldd = rounded_up(D);
    float* const m = &saved.reference(b, h, i0);
    float* const z = &saved.sum(b, h, i0);
    std::fill(m, m + rows, weigher<Policy>::first_reference);
    std::fill(z, z + rows, 0.0f);
    std::fill(o, o + rows * ldd, 0.0f);
    weigh.start(b, i0, rows);
    auto const score = [&](tile_keys const& tile, float* to) {
        multiply(rows, tile.padded(), D, p.q.row(b, h, i0), p.q.position, 1, keys.kt + tile.first, ldt, to, tile_columns, false);
        if constexpr (Policy::has_score)
            for (index_t r = 0; r < rows; ++r)
                joint.forward(to + r * tile_columns, to + r * tile_columns, tile, tile.seen[static_cast<std::size_t>(r)], i0 + r);
    };
    if constexpr (Policy::one_pass) {
        each_tile<Policy>(p, b, i0, rows, [&](tile_keys const& tile) {
            score(tile, scores);
            for (index_t r = 0; r < rows; ++r) {
                float const rescale =
                    weigh.of_row(r).forward(scores + r * tile_columns, tile.seen[static_cast<std::size_t>(r)], tile.padded(), m[r], z[r]);
                if (rescale != 1) scale_row(o + r * ldd, ldd, rescale);
            }
            add_values(scores, tile, rows, keys.v, ldd, keys.finite, o, true);
        });
        for (index_t r = 0; r < rows; ++r) {
            // A row that sees no key has no Z to divide by.
            bool const none = p.template visible<Policy>(b, i0 + r).none();
            scale_row(o + r * ldd, ldd, none ? 0 : weigher<Policy>::row_factor(m[r], z[r]));
        }
    } else {
        // All scores of these rows are kept until their Z, or threshold, is known.
        std::vector<tile_keys> tiles;
        each_tile<Policy>(p, b, i0, rows, [&](tile_keys const& tile) {
            float* const to = scores + static_cast<index_t>(tiles.size()) * tile_rows * tile_columns;
            tiles.push_back(tile);
            score(tile, to);
            for (index_t r = 0; r < rows; ++r)
                weigh.of_row(r).gather(to + r * tile_columns, tile.seen[static_cast<std::size_t>(r)], tile.padded(), m[r], z[r]);
        });
        if constexpr (Policy::has_threshold)
            for (index_t r = 0; r < rows; ++r) z[r] = solve_threshold(weigh.of_row(r), scores, tiles, r, m[r]);
        std::fill(o_by_sum, o_by_sum + rows * ldd, 0.0f);
        std::array<float, tile_rows> slope{};
        for (std::size_t k = 0; k < tiles.size(); ++k) {
            float* const w = scores + static_cast<index_t>(k) * tile_rows * tile_columns;
            for (index_t r = 0; r < rows; ++r)
                slope[static_cast<std::size_t>(r)] += weigh.of_row(r).weigh(w + r * tile_columns, by_sum + r * tile_columns,
                                                                            tiles[k].seen[static_cast<std::size_t>(r)], tiles[k].padded(), m[r], z[r]).second;
            add_values(w, tiles[k], rows, keys.v, ldd, keys.finite, o, true);
            add_values(by_sum, tiles[k], rows, keys.v, ldd, keys.finite, o_by_sum, true);
        }
        for (index_t r = 0; r < rows; ++r) {
            // dt/ds_j = (dw_j/ds_j) / sum_k -dw_k/dt: the threshold's share of every gradient.
            if constexpr (Policy::has_threshold)
                scale_row(o_by_sum + r * ldd, ldd, slope[static_cast<std::size_t>(r)] == 0 ? 0 : -1 / slope[static_cast<std::size_t>(r)]);
            std::copy_n(o_by_sum + r * ldd, D, &saved.by_sum(b, i0 + r, h * D));
        }
    }
}

template <class Policy>
void forward_heads(attention_problem<float> const& p, attention_saved<float>& saved, heads<float> y, index_t b, index_t kv) {
    index_t const T = p.T, D = p.D, ldt = rounded_up(T), ldd = rounded_up(D);
    index_t const kept_tiles = Policy::one_pass ? 1 : (T + tile_columns - 1) / tile_columns;
    scratch room(D * ldt + T * ldd + tile_rows * ((kept_tiles + 1) * tile_columns + 2 * ldd) + 64);
    packed_keys keys{room.take(D, T), room.take(T, D), true};
    float* const scores = room.take(kept_tiles * tile_rows, tile_columns);   // (rows, columns), then f(s) or w
    float* const by_sum = room.take(tile_rows, tile_columns);
    float* const o = room.take(tile_rows, D);
    float* const o_by_sum = room.take(tile_rows, D);
    pack_transposed(T, D, p.k.row(b, kv, 0), p.k.position, keys.kt);
    pack_rows(T, D, p.v.row(b, kv, 0), p.v.position, keys.v);
    keys.finite = all_finite(keys.v, T * ldd);

    weighers<Policy> weigh(p);
    auto output = program_of<simd_lanes, Policy>(Policy::output);
    index_t const group = p.H / p.kv_heads();
    for (index_t h = kv * group; h < (kv + 1) * group; ++h) {
        auto const parameters = of_head<Policy>(p.parameters, p.sizes(), h);
        std::array<float const*, Policy::parameter_count + 1> projections{};
        score_joint_rows<Policy> joint(p, saved, b, h);
        for (index_t i0 = 0; i0 < T; i0 += tile_rows) {
            index_t const rows = std::min(tile_rows, T - i0);
            forward_rows<Policy>(p, saved, keys, scores, by_sum, o, o_by_sum, weigh, joint, b, h, i0, rows);
            for (index_t r = 0; r < rows; ++r) {
                index_t const t = i0 + r;
                if constexpr (Policy::has_output) {
                    std::copy_n(o + r * ldd, D, &saved.core(b, t, h * D));
                    output.forward(output_row<Policy>(p, saved, b, h, t, o + r * ldd, parameters.data(), projections), y.row(b, h, t));
                } else {
                    std::copy_n(o + r * ldd, D, y.row(b, h, t));
                }
            }
        }
    }
}

/// R of each row: what its Z, or threshold, passes on to each score.
template <class Policy>
void row_adjoints(attention_problem<float> const& p, attention_saved<float> const& saved, heads<float const> weighted, float const* d_o, index_t ldd,
                  [[maybe_unused]] view<float const, 3> d_log_normalizer, index_t b, index_t h, index_t i0, index_t rows, float* adjoint) {
    for (index_t r = 0; r < rows; ++r) {
        index_t const t = i0 + r;
        adjoint[r] = 0;
        if constexpr (Policy::has_sum || Policy::has_threshold) {
            if (p.template visible<Policy>(b, t).none()) continue;
            float const* const o = Policy::one_pass ? weighted.row(b, h, t) : &saved.by_sum(b, t, h * p.D);
            lanes product(0.0f);
            each_lanes(p.D, [&](index_t c, auto part) { product = fma(load(d_o + t * ldd + c, part), load(o + c, part), product); });
            float const d_l = Policy::has_output && Policy::reads_log_normalizer ? d_log_normalizer(b, h, t) : 0.0f;
            if constexpr (Policy::one_pass)
                adjoint[r] = weigher<Policy>::row_adjoint(saved.reference(b, h, t), saved.sum(b, h, t), hsum(product), d_l);
            else
                adjoint[r] = hsum(product) + (d_l == 0 ? 0 : d_l / saved.sum(b, h, t));
        }
    }
}

template <class Policy>
void backward_heads(attention_problem<float> const& p, attention_saved<float> const& saved, heads<float const> weighted, heads<float const> d_weighted,
                    view<float const, 3> d_log_normalizer, attention_gradients<float> const& gradients, std::vector<float*> const& d_score_parameters,
                    view<float, 3> d_tokens, index_t b, index_t kv) {
    index_t const T = p.T, D = p.D, ldt = rounded_up(T), ldd = rounded_up(D);
    scratch room(2 * D * ldt + 5 * T * ldd + tile_rows * (4 * tile_columns + ldd) + 64);
    float* const kt = room.take(D, T);
    float* const vt = room.take(D, T);
    float* const q = room.take(T, D);
    float* const k = room.take(T, D);
    float* const d_o = room.take(T, D);
    float* const dk = room.take(T, D);
    float* const dv = room.take(T, D);
    float* const w = room.take(tile_rows, tile_columns);           // scores, then weights
    float* const d_scores = room.take(tile_rows, tile_columns);    // do . v, then gradients of the scores
    [[maybe_unused]] float* const raw = room.take(tile_rows, tile_columns);
    [[maybe_unused]] float* const d_raw = room.take(tile_rows, tile_columns);
    float* const dq = room.take(tile_rows, D);
    pack_transposed(T, D, p.k.row(b, kv, 0), p.k.position, kt);
    pack_transposed(T, D, p.v.row(b, kv, 0), p.v.position, vt);
    pack_rows(T, D, p.k.row(b, kv, 0), p.k.position, k);
    std::fill(dk, dk + T * ldd, 0.0f);
    std::fill(dv, dv + T * ldd, 0.0f);

    weighers<Policy> weigh(p);
    std::array<float, tile_rows> adjoint;
    index_t const group = p.H / p.kv_heads();
    for (index_t h = kv * group; h < (kv + 1) * group; ++h) {
        pack_rows(T, D, p.q.row(b, h, 0), p.q.position, q);
        pack_rows(T, D, d_weighted.row(b, h, 0), d_weighted.position, d_o);
        score_joint_rows<Policy> joint(p, saved, b, h, d_score_parameters, Policy::has_tokens ? &d_tokens(b, h, 0) : nullptr);
        for (index_t i0 = 0; i0 < T; i0 += tile_rows) {
            index_t const rows = std::min(tile_rows, T - i0);
            row_adjoints<Policy>(p, saved, weighted, d_o, ldd, d_log_normalizer, b, h, i0, rows, adjoint.data());
            weigh.start(b, i0, rows);
            std::fill(dq, dq + rows * ldd, 0.0f);
            each_tile<Policy>(p, b, i0, rows, [&](tile_keys const& tile) {
                index_t const j0 = tile.first, padded = tile.padded();
                multiply(rows, padded, D, q + i0 * ldd, ldd, 1, kt + j0, ldt, Policy::has_score ? raw : w, tile_columns, false);
                multiply(rows, padded, D, d_o + i0 * ldd, ldd, 1, vt + j0, ldt, d_scores, tile_columns, false);
                for (index_t r = 0; r < rows; ++r) {
                    columns_seen const seen = tile.seen[static_cast<std::size_t>(r)];
                    index_t const row = r * tile_columns;
                    if constexpr (Policy::has_score) joint.forward(raw + row, w + row, tile, seen, i0 + r);
                    weigh.of_row(r).backward(w + row, d_scores + row, seen, padded, saved.reference(b, h, i0 + r), saved.sum(b, h, i0 + r),
                                             adjoint[static_cast<std::size_t>(r)]);
                    if constexpr (Policy::has_score) joint.backward(d_scores + row, d_raw + row, seen);
                }
                float const* const ds = Policy::has_score ? d_raw : d_scores;
                multiply(tile.count, ldd, rows, w, 1, tile_columns, d_o + i0 * ldd, ldd, dv + j0 * ldd, ldd, true);
                multiply(tile.count, ldd, rows, ds, 1, tile_columns, q + i0 * ldd, ldd, dk + j0 * ldd, ldd, true);
                multiply(rows, ldd, tile.count, ds, tile_columns, 1, k + j0 * ldd, ldd, dq, ldd, true);
            });
            for (index_t r = 0; r < rows; ++r) {
                float* const to = gradients.q.row(b, h, i0 + r);
                // The output joint has already left its share of dq there.
                for (index_t c = 0; c < D; ++c) to[c] = dq[r * ldd + c] + (Policy::has_output ? to[c] : 0.0f);
            }
        }
    }
    for (index_t t = 0; t < T; ++t) {
        std::copy_n(dk + t * ldd, D, gradients.k.row(b, kv, t));
        std::copy_n(dv + t * ldd, D, gradients.v.row(b, kv, t));
    }
}

}  // namespace attnlab::detail
