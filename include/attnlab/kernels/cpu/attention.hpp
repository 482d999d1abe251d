#pragma once
#include <omp.h>

#include <algorithm>

#include <attnlab/attention/problem.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/kernels/cpu/tile.hpp>
#include <attnlab/kernels/cpu/weigh.hpp>

/// \file
/// Attention in tiles, forward and backward in one sweep each, for any policy: never a T x T array, O(T) numbers kept a head.
/// Threads share (batch, head) pairs; rows of the output joint are a pass of their own, so that no gradient needs an atomic.
/// The scheme is FlashAttention's (2205.14135); the backward of a weight f(s) g(Z) needs only do . o and dL (docs/kernels.md).

namespace attnlab {

namespace detail {

inline constexpr index_t tile_rows = 64, tile_columns = 64;

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

/// Columns of tile [first, first + count) that the keys of a row cover.
inline columns inside_tile(key_range keys, index_t first, index_t count) {
    columns const c{std::max<index_t>(keys.begin - first, 0), std::min<index_t>(keys.end - first, count)};
    return c.empty() ? columns{0, 0} : c;
}

/// Whether `n` numbers, whole registers of them, hold no NaN and no infinity: x * 0 is 0 for all others.
inline bool all_finite(float const* x, index_t n) {
    lanes sum(0.0f);
    for (index_t i = 0; i < n; i += register_width) sum = fma(load_aligned(x + i), lanes(0.0f), sum);
    return hsum(sum) == 0;
}

/// The keys that any of the rows [first, last) sees.
template <class Policy>
key_range keys_of_rows(index_t first, index_t last, index_t T) {
    key_range all{T, 0};
    for (index_t i = first; i < last; ++i) {
        key_range const k = Policy::mask::keys(i, T);
        if (k.begin >= k.end) continue;
        all = {std::min(all.begin, k.begin), std::max(all.end, k.end)};
    }
    return all;
}

/// Makes the weigher for each row: one for the call, or one a row where the length is the number of visible keys.
template <class Policy>
class weighers {
public:
    explicit weighers(attention_problem<float> const& p)
        : p_(p), per_row_(Policy::reads_length && p.rule == length_rule::visible), now_(p.scale, p.length({0, p.T})) {}
    weigher<Policy> const& of_row(key_range keys) {
        if (per_row_) now_ = weigher<Policy>(p_.scale, p_.length(keys));
        return now_;
    }

private:
    attention_problem<float> const& p_;
    bool per_row_;
    weigher<Policy> now_;
};

/// The output joint's view of row (b, h, t).
template <class Policy>
row_point<float> row_at(attention_problem<float> const& p, attention_saved<float> const& saved, index_t b, index_t h, index_t t,
                        float const* weighted, float const* const* parameters) {
    row_point<float> r;
    r.output = weighted;
    r.query = p.q.row(b, h, t);
    r.input = p.input ? p.input + (b * p.T + t) * p.width : nullptr;
    if constexpr (Policy::reads_log_normalizer) {
        static_assert(Policy::has_sum, "output: row.log_normalizer needs a weighting with a row sum (summand)");
        r.log_normalizer = weigher<Policy>::log_normalizer(saved.reference(b, h, t), saved.sum(b, h, t));
    }
    r.scale = p.scale;
    r.values = parameters;
    r.head_size = p.D;
    r.width = p.width;
    return r;
}

/// Pointers to the parameters of head h.
template <class Policy, class S>
std::array<S*, Policy::parameter_count + 1> of_head(std::vector<S*> const& all, head_sizes n, index_t h) {
    std::array<S*, Policy::parameter_count + 1> out{};
    std::size_t i = 0;
    std::apply([&](auto const&... e) { ((out[i] = all[i] + h * e.per_head(n), ++i), ...); }, Policy::parameters);
    return out;
}

template <class Policy>
void forward_head(attention_problem<float> const& p, attention_saved<float>& saved, heads<float> y, index_t b, index_t h) {
    index_t const T = p.T, D = p.D, ldt = rounded_up(T), ldd = rounded_up(D);
    scratch room(D * ldt + T * ldd + tile_rows * (tile_columns + ldd) + 64);
    float* const kt = room.take(D, T);                             // (D, T) K transposed
    float* const v = room.take(T, D);                              // (T, D)
    float* const scores = room.take(tile_rows, tile_columns);      // (rows, columns), then f(s)
    float* const o = room.take(tile_rows, D);                      // (rows, D)
    pack_transposed(T, D, p.k.row(b, h, 0), p.k.position, kt);
    pack_rows(T, D, p.v.row(b, h, 0), p.v.position, v);
    bool const finite = all_finite(v, T * ldd);

    weighers<Policy> weigh(p);
    auto const parameters = of_head<Policy>(p.parameters, {p.H, D, p.width}, h);
    [[maybe_unused]] row_program<simd_lanes, Policy> output;
    for (index_t i0 = 0; i0 < T; i0 += tile_rows) {
        index_t const rows = std::min(tile_rows, T - i0);
        float* const m = &saved.reference(b, h, i0);
        float* const z = &saved.sum(b, h, i0);
        std::fill(m, m + rows, weigher<Policy>::first_reference);
        std::fill(z, z + rows, 0.0f);
        key_range const keys = keys_of_rows<Policy>(i0, i0 + rows, T);
        bool first = true;
        for (index_t j0 = keys.begin / tile_columns * tile_columns; j0 < keys.end; j0 += tile_columns) {
            index_t const count = std::min(tile_columns, T - j0);
            multiply(rows, rounded_up(count), D, p.q.row(b, h, i0), p.q.position, 1, kt + j0, ldt, scores, tile_columns, false);
            for (index_t r = 0; r < rows; ++r) {
                key_range const seen = Policy::mask::keys(i0 + r, T);
                float const rescale = weigh.of_row(seen).forward(scores + r * tile_columns, inside_tile(seen, j0, count), rounded_up(count), m[r], z[r]);
                if (rescale != 1 && !first)
                    for (index_t c = 0; c < ldd; c += register_width) store_aligned(o + r * ldd + c, load_aligned(o + r * ldd + c) * lanes(rescale));
            }
            float const* const values = v + j0 * ldd;
            if (finite) {
                multiply(rows, ldd, count, scores, tile_columns, 1, values, ldd, o, ldd, !first);
            } else {
                // 0 times a NaN or infinity that the row does not see would be a NaN: over the keys it sees, the same sums otherwise.
                for (index_t r = 0; r < rows; ++r) {
                    columns const c = inside_tile(Policy::mask::keys(i0 + r, T), j0, count);
                    multiply(1, ldd, c.end - c.begin, scores + r * tile_columns + c.begin, tile_columns, 1, values + c.begin * ldd, ldd,
                             o + r * ldd, ldd, !first);
                }
            }
            first = false;
        }
        for (index_t r = 0; r < rows; ++r) {
            index_t const t = i0 + r;
            key_range const seen = Policy::mask::keys(t, T);
            bool const none = seen.begin >= seen.end;
            float const g = none ? 0 : weigher<Policy>::row_factor(m[r], z[r]);
            if (none) std::fill(o + r * ldd, o + (r + 1) * ldd, 0.0f);
            for (index_t c = 0; c < ldd; c += register_width) store_aligned(o + r * ldd + c, load_aligned(o + r * ldd + c) * lanes(g));
            if constexpr (Policy::has_output) {
                std::copy_n(o + r * ldd, D, &saved.core(b, t, h * D));
                output.forward(row_at<Policy>(p, saved, b, h, t, o + r * ldd, parameters.data()), y.row(b, h, t));
            } else {
                std::copy_n(o + r * ldd, D, y.row(b, h, t));
            }
        }
    }
}

/// Gradients of the weighted values and of log Z, from those of the result; everything an output joint reads gets its share.
template <class Policy>
void backward_output(attention_problem<float> const& p, attention_saved<float> const& saved, heads<float const> dy,
                     attention_gradients<float> const& gradients, view<float, 3> d_core, view<float, 3> d_log_normalizer) {
    head_sizes const n{p.H, p.D, p.width};
    std::vector<index_t> sizes;   // of each parameter's gradient
    std::apply([&](auto const&... e) { (sizes.push_back(e.per_head(n) * p.H), ...); }, Policy::parameters);
    index_t total = 0;
    for (index_t s : sizes) total += s;

    int const threads = p.B * p.T * p.H * p.D > 65536 ? omp_get_max_threads() : 1;
    buffer<float> partial(static_cast<std::size_t>(total * threads), 0.0f);   // one buffer a thread, added up in order
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        float* own = partial.data() + total * omp_get_thread_num();
        std::vector<float*> d_parameters;
        for (index_t s : sizes) {
            d_parameters.push_back(own);
            own += s;
        }
        row_program<simd_lanes, Policy> output;
#pragma omp for schedule(static)
        for (index_t bt = 0; bt < p.B * p.T; ++bt) {
            index_t const b = bt / p.T, t = bt % p.T;
            for (index_t h = 0; h < p.H; ++h) {
                auto const values = of_head<Policy>(p.parameters, n, h);
                auto const grads = of_head<Policy>(d_parameters, n, h);
                float* const d_o = &d_core(b, t, h * p.D);
                std::fill_n(d_o, p.D, 0.0f);
                std::fill_n(gradients.q.row(b, h, t), p.D, 0.0f);
                auto r = row_at<Policy>(p, saved, b, h, t, &saved.core(b, t, h * p.D), values.data());
                r.d_output = d_o;
                r.d_query = gradients.q.row(b, h, t);
                r.d_input = gradients.input ? gradients.input + bt * p.width : nullptr;
                r.gradients = grads.data();
                output.backward(r, dy.row(b, h, t));
                d_log_normalizer(b, h, t) = r.d_log_normalizer;
            }
        }
    }
    for (int i = 0; i < threads; ++i) {
        float const* from = partial.data() + total * i;
        for (std::size_t k = 0; k < sizes.size(); from += sizes[k++])
            for (index_t c = 0; c < sizes[k]; ++c) gradients.parameters[k][c] += from[c];
    }
}

template <class Policy>
void backward_head(attention_problem<float> const& p, attention_saved<float> const& saved, heads<float const> weighted,
                   heads<float const> d_weighted, [[maybe_unused]] view<float const, 3> d_log_normalizer,
                   attention_gradients<float> const& gradients, index_t b, index_t h) {
    index_t const T = p.T, D = p.D, ldt = rounded_up(T), ldd = rounded_up(D);
    scratch room(2 * D * ldt + 5 * T * ldd + tile_rows * (2 * tile_columns + ldd) + 64);
    float* const kt = room.take(D, T);
    float* const vt = room.take(D, T);
    float* const q = room.take(T, D);
    float* const k = room.take(T, D);
    float* const d_o = room.take(T, D);
    float* const dk = room.take(T, D);
    float* const dv = room.take(T, D);
    float* const w = room.take(tile_rows, tile_columns);           // scores, then weights
    float* const ds = room.take(tile_rows, tile_columns);          // do . v, then gradients of the raw scores
    float* const dq = room.take(tile_rows, D);
    pack_transposed(T, D, p.k.row(b, h, 0), p.k.position, kt);
    pack_transposed(T, D, p.v.row(b, h, 0), p.v.position, vt);
    pack_rows(T, D, p.q.row(b, h, 0), p.q.position, q);
    pack_rows(T, D, p.k.row(b, h, 0), p.k.position, k);
    pack_rows(T, D, d_weighted.row(b, h, 0), d_weighted.position, d_o);
    std::fill(dk, dk + T * ldd, 0.0f);
    std::fill(dv, dv + T * ldd, 0.0f);

    weighers<Policy> weigh(p);
    float factor[tile_rows], adjoint[tile_rows];                   // g(Z) and R of each row
    for (index_t i0 = 0; i0 < T; i0 += tile_rows) {
        index_t const rows = std::min(tile_rows, T - i0);
        for (index_t r = 0; r < rows; ++r) {
            index_t const t = i0 + r;
            key_range const seen = Policy::mask::keys(t, T);
            bool const none = seen.begin >= seen.end;
            float const m = saved.reference(b, h, t), z = saved.sum(b, h, t);
            factor[r] = none ? 0 : weigher<Policy>::row_factor(m, z);
            adjoint[r] = 0;
            if constexpr (Policy::has_sum) {
                lanes product(0.0f);
                float const* o = weighted.row(b, h, t);
                each_lanes(D, [&](index_t c, auto part) { product = fma(load(d_o + t * ldd + c, part), load(o + c, part), product); });
                float const d_l = Policy::has_output ? d_log_normalizer(b, h, t) : 0.0f;
                if (!none) adjoint[r] = weigher<Policy>::row_adjoint(m, z, hsum(product), d_l);
            }
        }
        key_range const keys = keys_of_rows<Policy>(i0, i0 + rows, T);
        bool first = true;
        for (index_t j0 = keys.begin / tile_columns * tile_columns; j0 < keys.end; j0 += tile_columns) {
            index_t const count = std::min(tile_columns, T - j0), wide = rounded_up(count);
            multiply(rows, wide, D, q + i0 * ldd, ldd, 1, kt + j0, ldt, w, tile_columns, false);
            multiply(rows, wide, D, d_o + i0 * ldd, ldd, 1, vt + j0, ldt, ds, tile_columns, false);
            for (index_t r = 0; r < rows; ++r) {
                key_range const seen = Policy::mask::keys(i0 + r, T);
                weigh.of_row(seen).backward(w + r * tile_columns, ds + r * tile_columns, inside_tile(seen, j0, count), wide,
                                            saved.reference(b, h, i0 + r), factor[r], adjoint[r]);
            }
            multiply(count, ldd, rows, w, 1, tile_columns, d_o + i0 * ldd, ldd, dv + j0 * ldd, ldd, true);
            multiply(count, ldd, rows, ds, 1, tile_columns, q + i0 * ldd, ldd, dk + j0 * ldd, ldd, true);
            multiply(rows, ldd, count, ds, tile_columns, 1, k + j0 * ldd, ldd, dq, ldd, !first);
            first = false;
        }
        for (index_t r = 0; r < rows; ++r) {
            float* const to = gradients.q.row(b, h, i0 + r);
            if (first) {
                if constexpr (!Policy::has_output) std::fill_n(to, D, 0.0f);
            } else {
                // The output joint has already left its share of dq there.
                for (index_t c = 0; c < D; ++c) to[c] = dq[r * ldd + c] + (Policy::has_output ? to[c] : 0.0f);
            }
        }
    }
    for (index_t t = 0; t < T; ++t) {
        std::copy_n(dk + t * ldd, D, gradients.k.row(b, h, t));
        std::copy_n(dv + t * ldd, D, gradients.v.row(b, h, t));
    }
}

}  // namespace detail

/// y (B, H, T, D) by the policy; keeps in `saved` what backward needs.
template <class Policy>
void attention_forward(cpu, attention_problem<float> const& p, attention_saved<float>& saved, heads<float> y) {
    saved.template resize<Policy>(p);
    index_t const pairs = p.B * p.H;
#pragma omp parallel for schedule(dynamic) if (pairs > 1 && pairs * p.T * p.T * p.D > (1 << 20))
    for (index_t i = 0; i < pairs; ++i) detail::forward_head<Policy>(p, saved, y, i / p.H, i % p.H);
}

/// Gradients from dy; y is what forward returned.
template <class Policy>
void attention_backward(cpu, attention_problem<float> const& p, attention_saved<float> const& saved, heads<float const> y,
                        heads<float const> dy, attention_gradients<float> const& gradients) {
    tensor<float, 3> d_core, d_log_normalizer;
    heads<float const> d_weighted = dy;
    if constexpr (Policy::has_output) {
        d_core.resize({p.B, p.T, p.H * p.D});
        d_log_normalizer.resize({p.B, p.H, p.T});
        detail::backward_output<Policy>(p, saved, dy, gradients, d_core, d_log_normalizer);
        d_weighted = merged_heads(view<float const, 3>(d_core), p.D);
    }
    auto const weighted = saved.template weighted_values<Policy>(p, y);
    index_t const pairs = p.B * p.H;
#pragma omp parallel for schedule(dynamic) if (pairs > 1 && pairs * p.T * p.T * p.D > (1 << 19))
    for (index_t i = 0; i < pairs; ++i)
        detail::backward_head<Policy>(p, saved, weighted, d_weighted, d_log_normalizer, gradients, i / p.H, i % p.H);
}

}  // namespace attnlab
