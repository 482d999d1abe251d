#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <attnlab/attention/policy.hpp>
#include <attnlab/kernels/cpu/lanes.hpp>
#include <attnlab/kernels/cpu/tile_keys.hpp>
#include <attnlab/kernels/weighting_facts.hpp>

/// \file
/// A policy's weighting on one row of a tile of scores: forward online or with the row's numbers known, backward from its saved
/// numbers. Which keys the row sees is a word of bits; the others are selected out, never left to a large negative score.

namespace attnlab {

namespace detail {
/// x^n
template <int N>
lanes power(lanes x) {
    static_assert(N >= 0);
    if constexpr (N == 0)
        return lanes(1.0f);
    else if constexpr (N == 1)
        return x;
    else
        return x * power<N - 1>(x);
}
/// Walks a row of `padded` columns a register at a time: `seen(c, all)` for registers that are seen whole, `seen(c, mask)` for
/// those seen in part, `unseen(c)` for the others.
template <class Seen, class Unseen>
[[gnu::always_inline]] inline void each_register(columns_seen bits, index_t padded, Seen seen, Unseen unseen) {
    if (bits == ~columns_seen{0}) {
#pragma GCC unroll 16
        for (index_t c = 0; c < tile_columns; c += register_width) seen(c, every_lane{});
        return;
    }
    constexpr unsigned whole = register_width == 32 ? ~0u : (1u << register_width) - 1;
    for (index_t c = 0; c < padded; c += register_width) {
        unsigned const here = static_cast<unsigned>(bits >> c) & whole;
        if (here == whole)
            seen(c, every_lane{});
        else if (here == 0)
            unseen(c);
        else
            seen(c, mask_of(here));
    }
}
/// x where it is seen, else `other`.
inline lanes seen_or(every_lane, lanes x, lanes) { return x; }
inline lanes seen_or(lane_mask m, lanes x, lanes other) { return select(m, x, other); }
}  // namespace detail

/// What a row knows of itself once forward is done.
struct row_numbers {
    float m, z;      ///< the reference; Z e^-m, or the threshold less m
    float lift;      ///< e^-m, where the formula mixes degrees
    float factor;    ///< g(Z) of a weight f(s) g(Z)
    float adjoint;   ///< R: what Z, or the threshold, passes on to each score
};

/// The weighting of rows whose formula reads the same lengths.
template <class Policy>
class weigher {
    using columns_seen = detail::columns_seen;
    using facts = weighting_facts<Policy>;
    static constexpr bool has_sum = Policy::has_sum, same = facts::same;

public:
    static constexpr int degree = facts::degree;
    static constexpr bool exponential = facts::exponential, has_reference = facts::has_reference, mixes = facts::mixes;
    static constexpr float first_reference = facts::first_reference;

    explicit weigher(expr::row_lengths n)
        : of_score_(expr::settle<lanes>(Policy::factors.of_score, n)), weight_(expr::settle<lanes>(Policy::weight, n)) {}

    /// The largest score of a row, lane by lane.
    lanes largest(float const* scores, columns_seen bits, index_t padded) const {
        lanes top(-std::numeric_limits<float>::infinity());
        detail::each_register(
            bits, padded,
            [&](index_t c, auto in) { top = max(detail::seen_or(in, load_aligned(scores + c), top), top); },
            [](index_t) {});
        return top;
    }
    /// One pass: scores become f(s). Returns the sum of the summands, lane by lane. `also(in, s, f)` is shown each register.
    template <class Also>
    lanes forward(float* scores, columns_seen bits, index_t padded, float m, float lift, Also also) const {
        auto at = point(m, 0, lift);
        lanes sum(0.0f);
        detail::each_register(
            bits, padded,
            [&](index_t c, auto in) {
                at.score = load_aligned(scores + c);
                lanes const f = detail::seen_or(in, expr::evaluate<void>(of_score_, at).value, 0.0f);
                store_aligned(scores + c, f);
                also(in, at.score, f);
                if constexpr (same)
                    sum += f;
                else if constexpr (has_sum)
                    sum += detail::seen_or(in, expr::evaluate<void>(Policy::summand, at).value, 0.0f);
            },
            [&](index_t c) { store_aligned(scores + c, lanes(0.0f)); });
        return sum;
    }
    /// Two passes, the first: the scores stay. Returns the sum of the summands, lane by lane.
    lanes gather([[maybe_unused]] float const* scores, [[maybe_unused]] columns_seen bits, [[maybe_unused]] index_t padded, float m,
                 float lift) const {
        auto at = point(m, 0, lift);
        lanes sum(0.0f);
        if constexpr (has_sum)
            detail::each_register(
                bits, padded,
                [&](index_t c, auto in) {
                    at.score = load_aligned(scores + c);
                    sum += detail::seen_or(in, expr::evaluate<void>(Policy::summand, at).value, 0.0f);
                },
                [](index_t) {});
        return sum;
    }
    /// Two passes, the second: scores become w, `by_sum` dw/dz (z or the threshold). Returns the row's sum of the latter.
    float weigh(float* scores, float* by_sum, columns_seen bits, index_t padded, float m, float z, float lift) const {
        auto const store = [&](index_t c, lanes w, lanes slope) {
            store_aligned(scores + c, w);
            store_aligned(by_sum + c, slope);
        };
        return each_weight(scores, bits, padded, m, z, lift, store).second;
    }
    /// The sum of a row's weights at threshold m + t, and its derivative by t; the scores stay.
    std::pair<float, float> sum_of_weights(float const* scores, columns_seen bits, index_t padded, float m, float t) const {
        return each_weight(scores, bits, padded, m, t, mixes ? std::exp(-m) : 1.0f, [](index_t, lanes, lanes) {});
    }

    static float row_factor(float m, float z) { return facts::row_factor(m, z); }
    static float row_adjoint(float m, float z, float do_dot_o, float d_log_normalizer) {
        return facts::row_adjoint(m, z, do_dot_o, d_log_normalizer);
    }

    /// Scores become weights w, and `d_weights` (do . v) becomes the gradient by the scores.
    void backward(float* scores, float* d_weights, columns_seen bits, index_t padded, row_numbers const& row) const {
        auto at = point(row.m, row.z, row.lift);
        float const m = row.m, g = row.factor, r = row.adjoint;
        detail::each_register(
            bits, padded,
            [&](index_t c, auto in) {
                at.score = relative_score(load_aligned(scores + c), m);
                lanes const d_w = load_aligned(d_weights + c);
                lanes w, ds(0.0f);
                if constexpr (Policy::one_pass) {
                    auto const f = expr::evaluate<expr::score_tag>(of_score_, at);
                    w = f.value * g;
                    if constexpr (f.varies) ds = d_w * f.derivative * g;
                    if constexpr (same && f.varies)
                        ds = fma(f.derivative, lanes(r), ds);
                    else if constexpr (has_sum)
                        ds = fma(expr::evaluate<expr::score_tag>(Policy::summand, at).derivative, lanes(r), ds);
                } else {
                    auto const f = expr::evaluate<expr::score_tag>(weight_, at);
                    w = f.value;
                    if constexpr (Policy::has_threshold)  // the threshold moves with each score as the weights do
                        ds = f.derivative * (d_w + lanes(r));
                    else
                        ds = fma(expr::evaluate<expr::score_tag>(Policy::summand, at).derivative, lanes(r), d_w * f.derivative);
                }
                store_aligned(scores + c, detail::seen_or(in, w, 0.0f));
                store_aligned(d_weights + c, detail::seen_or(in, ds, 0.0f));
            },
            [&](index_t c) {
                store_aligned(scores + c, lanes(0.0f));
                store_aligned(d_weights + c, lanes(0.0f));
            });
    }

private:
    /// `body(c, w, dw/dz)` for each register of a row, zeros where it is not seen. Returns the sums of both.
    template <class Body>
    std::pair<float, float> each_weight(float const* scores, columns_seen bits, index_t padded, float m, float z, float lift,
                                        Body body) const {
        auto at = point(m, z, lift);
        lanes total(0.0f), slopes(0.0f);
        detail::each_register(
            bits, padded,
            [&](index_t c, auto in) {
                at.score = relative_score(load_aligned(scores + c), m);
                auto const w = expr::evaluate<expr::sum_tag>(weight_, at);
                lanes const value = detail::seen_or(in, w.value, 0.0f), slope = detail::seen_or(in, w.derivative, 0.0f);
                body(c, value, slope);
                total += value;
                slopes += slope;
            },
            [&](index_t c) { body(c, lanes(0.0f), lanes(0.0f)); });
        return {hsum(total), hsum(slopes)};
    }
    static lanes relative_score(lanes s, [[maybe_unused]] float m) {
        if constexpr (Policy::has_threshold)
            return s - lanes(m);
        else
            return s;
    }
    static expr::scalar_point<lanes> point(float m, float z, float lift) {
        return {lanes(0.0f), lanes(z), lanes(m), lanes(lift), lanes(0.0f), lanes(0.0f)};
    }

    decltype(expr::settle<lanes>(Policy::factors.of_score, expr::row_lengths{})) of_score_;
    decltype(expr::settle<lanes>(Policy::weight, expr::row_lengths{})) weight_;
};

}  // namespace attnlab
