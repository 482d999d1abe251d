#pragma once
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

#include <attnlab/attention/policy.hpp>
#include <attnlab/kernels/cpu/lanes.hpp>

/// \file
/// A policy's weighting on one row of a tile of scores: forward online, backward from the row's saved numbers. Keys outside the
/// row's range are selected out, never left to a large negative score.

namespace attnlab {

/// The range of a row inside a tile of keys, in columns of the tile.
struct columns {
    index_t begin, end;
    bool empty() const { return begin >= end; }
};

namespace detail {
/// Numbers 0, 1, 2, ... in a register.
inline lanes counting() {
    alignas(lanes) float v[lanes::size];
    std::iota(v, v + register_width, 0.0f);
    return load_aligned(v);
}
/// Which lanes of the register at column `first` lie in the range.
inline auto inside(columns range, index_t first) {
    lanes const c = counting();
    return (c >= lanes(static_cast<float>(range.begin - first))) && (c < lanes(static_cast<float>(range.end - first)));
}
/// x^n
template <int N>
float power(float x) {
    static_assert(N >= 0);
    if constexpr (N == 0)
        return 1;
    else
        return x * power<N - 1>(x);
}
/// Calls `body(c, masked)` for each register of the range's columns; `masked` is a constant that says whether lanes lie outside.
template <class Body>
void each_register(columns range, Body body) {
    for (index_t c = range.begin / register_width * register_width; c < range.end; c += register_width)
        if (c >= range.begin && c + register_width <= range.end)
            body(c, std::false_type{});
        else
            body(c, std::true_type{});
}
}  // namespace detail

/// The weighting of rows whose formula reads one length of T.
template <class Policy>
class weigher {
    static constexpr bool has_sum = Policy::has_sum;
    using formula_of_score = std::remove_const_t<decltype(Policy::factors.of_score)>;
    using formula_of_summand = std::remove_const_t<decltype(Policy::summand)>;
    /// f(s) is the very summand (softmax): computed once.
    static constexpr bool same = std::is_same_v<formula_of_score, formula_of_summand>;
    static constexpr int degree = expr::degree_of<formula_of_score>;

public:
    /// Scores are exponentiated relative to a row's running maximum m.
    static constexpr bool has_reference = expr::has_degree<formula_of_score> || expr::has_degree<formula_of_summand>;
    /// m starts at 0 where e^-m occurs in the formula.
    static constexpr bool mixes = expr::mixes_degrees<std::remove_const_t<decltype(Policy::weight)>> || expr::mixes_degrees<formula_of_summand>;
    static constexpr float first_reference = has_reference && !mixes ? -std::numeric_limits<float>::infinity() : 0.0f;

    weigher(float scale, double row_length) : scale_(scale), of_score_(expr::settle<lanes>(Policy::factors.of_score, row_length)) {}

    /// Scores (raw products q.k) become f(s); z gathers the summands and m follows the maximum. Returns the factor by which what
    /// was summed before must be multiplied.
    float forward(float* scores, columns range, index_t padded_columns, float& m, float& z) const {
        float rescale = 1;
        if constexpr (has_reference) {
            lanes top(m);
            detail::each_register(range, [&](index_t c, auto masked) {
                lanes s = load_aligned(scores + c) * scale_;
                if constexpr (masked.value) s = xsimd::select(detail::inside(range, c), s, top);
                top = max(s, top);
            });
            if (float const higher = hmax(top); higher > m) {
                float const drop = std::exp(m - higher);
                z *= drop;
                rescale = detail::power<degree>(drop);
                m = higher;
            }
        }
        expr::scalar_point<lanes> at{lanes(0.0f), lanes(0.0f), lanes(m), lift(m), lanes(0.0f)};
        lanes sum(0.0f);
        std::fill(scores, scores + range.begin / register_width * register_width, 0.0f);
        detail::each_register(range, [&](index_t c, auto masked) {
            at.score = load_aligned(scores + c) * scale_;
            lanes f = expr::evaluate<void>(of_score_, at).value;
            if constexpr (masked.value) f = xsimd::select(detail::inside(range, c), f, lanes(0.0f));
            store_aligned(scores + c, f);
            if constexpr (same) {
                sum += f;
            } else if constexpr (has_sum) {
                lanes a = expr::evaluate<void>(Policy::summand, at).value;
                if constexpr (masked.value) a = xsimd::select(detail::inside(range, c), a, lanes(0.0f));
                sum += a;
            }
        });
        std::fill(scores + padded_columns_before(range), scores + padded_columns, 0.0f);
        if constexpr (has_sum) z += hsum(sum);
        return rescale;
    }

    /// g(Z), by which the row's weighted values are multiplied at the end.
    static float row_factor(float m, float z) {
        return expr::evaluate<void>(Policy::factors.of_sum, row_values(m, z)).value;
    }
    /// log Z
    static float log_normalizer(float m, float z) {
        static_assert(!has_sum || expr::degree_of<formula_of_summand> == 1 || expr::degree_of<formula_of_summand> == 0);
        return std::log(z) + (expr::degree_of<formula_of_summand> == 1 ? m : 0.0f);
    }
    /// R = g'(Z)/g(Z) (do . o) + dL / Z: what the row's sum passes on to each of its summands.
    static float row_adjoint(float m, float z, float do_dot_o, float d_log_normalizer) {
        if constexpr (has_sum) {
            auto const g = expr::evaluate<expr::sum_tag>(Policy::factors.of_sum, row_values(m, z));
            float r = Policy::reads_log_normalizer ? d_log_normalizer / z : 0.0f;
            if constexpr (g.varies) r += g.derivative / g.value * do_dot_o;
            return r;
        } else {
            return 0;
        }
    }

    /// Scores (raw) become weights w, and `d_weights` (do . v) becomes the gradient by the raw scores.
    void backward(float* scores, float* d_weights, columns range, index_t padded_columns, float m, float g, float r) const {
        expr::scalar_point<lanes> at{lanes(0.0f), lanes(0.0f), lanes(m), lift(m), lanes(0.0f)};
        index_t const first = range.begin / register_width * register_width;
        std::fill(scores, scores + first, 0.0f);
        std::fill(d_weights, d_weights + first, 0.0f);
        detail::each_register(range, [&](index_t c, auto masked) {
            at.score = load_aligned(scores + c) * scale_;
            auto const f = expr::evaluate<expr::score_tag>(of_score_, at);
            lanes w = f.value * g, ds(0.0f);
            if constexpr (f.varies) ds = load_aligned(d_weights + c) * f.derivative * g;
            if constexpr (same && f.varies)
                ds = fma(f.derivative, lanes(r), ds);
            else if constexpr (has_sum)
                ds = fma(expr::evaluate<expr::score_tag>(Policy::summand, at).derivative, lanes(r), ds);
            ds *= scale_;
            if constexpr (masked.value) {
                auto const in = detail::inside(range, c);
                w = xsimd::select(in, w, lanes(0.0f));
                ds = xsimd::select(in, ds, lanes(0.0f));
            }
            store_aligned(scores + c, w);
            store_aligned(d_weights + c, ds);
        });
        index_t const last = padded_columns_before(range);
        std::fill(scores + last, scores + padded_columns, 0.0f);
        std::fill(d_weights + last, d_weights + padded_columns, 0.0f);
    }

private:
    static index_t padded_columns_before(columns range) { return (range.end + register_width - 1) / register_width * register_width; }
    static lanes lift(float m) { return lanes(mixes ? std::exp(-m) : 1.0f); }
    static expr::scalar_point<float> row_values(float m, float z) { return {0, z, m, mixes ? std::exp(-m) : 1.0f, 0}; }

    lanes scale_;
    decltype(expr::settle<lanes>(Policy::factors.of_score, 1.0)) of_score_;
};

}  // namespace attnlab
