#pragma once
#include <array>
#include <limits>
#include <utility>

#include <attnlab/kernels/cuda/lanes.hpp>
#include <attnlab/kernels/weighting_facts.hpp>

/// \file
/// A policy's weighting on scores that lie in lanes: each lane has the numbers of its own row beside its score.

namespace attnlab::gpu {

/// What a row knows of itself, lane by lane.
template <class L>
struct row_numbers {
    L m, z;              ///< the reference; Z e^-m, or the threshold less m
    L lift;              ///< e^-m, where the formula mixes degrees
    L length, visible;   ///< what formulas may read
    L factor, adjoint;   ///< on the way back: g(Z) of a weight f(s) g(Z); R, what Z, or the threshold, passes on to each score
};

/// The same of a query in memory, as the way back reads it: (B, H, T) of them, T padded, of which those beyond the last have no weight.
struct alignas(16) row_record {
    float m, z, factor, adjoint;
};

/// x[(b, h, query(lane))] of a (B, H, T) array, lane by lane; `other` beyond the last query.
template <class Warp, class Problem, class Query>
constexpr typename Warp::number at_queries(Problem const& p, float const* x, index_t b, index_t h, Query query, float other) {
    return Warp::each_lane([&](int lane) {
        index_t const i = query(lane);
        return i < p.T ? x[(b * p.H + h) * p.T + i] : other;
    });
}
/// The length that formulas read where it is the same for all rows; 0 where it is not.
template <class Policy, class Problem>
constexpr float length_of_all(Problem const& p) {
    return Policy::weight_reads_visible || p.rule == length_rule::visible ? 0 : static_cast<float>(p.lengths(0).length);
}
/// What formulas may read of the rows of queries `query(lane)`: 1 beyond the last one, and where no formula asks. \param of_all  length_of_all
template <class Policy, class Warp, class Problem, class Query>
constexpr void read_lengths(row_numbers<typename Warp::number>& r, [[maybe_unused]] Problem const& p, [[maybe_unused]] index_t b, [[maybe_unused]] Query query,
                            [[maybe_unused]] float of_all) {
    using number = typename Warp::number;
    r.length = r.visible = number(1.0f);
    if constexpr (Policy::weight_reads_lengths) {
        if (of_all > 0) {
            r.length = number(of_all);
            return;
        }
        auto const lengths = [&](int lane) {
            index_t const i = query(lane);
            return i < p.T ? p.lengths(p.template visible<Policy>(b, i).count()) : expr::row_lengths{1, 1};
        };
        r.length = Warp::each_lane([&](int lane) { return static_cast<float>(lengths(lane).length); });
        r.visible = Warp::each_lane([&](int lane) { return static_cast<float>(lengths(lane).visible); });
    }
}

template <class Policy, class L>
struct weigher {
    using facts = weighting_facts<Policy>;
    static constexpr bool has_sum = Policy::has_sum, same = facts::same;

    /// f(s) of a weight f(s) g(Z), and the summand.
    static constexpr std::pair<L, L> one_pass(L const& score, row_numbers<L> const& r) {
        constexpr auto of_score = Policy::factors.of_score;
        auto const at = point(score, r);
        L const f = expr::evaluate<void>(of_score, at).value;
        if constexpr (same) {
            return {f, f};
        } else if constexpr (has_sum) {
            constexpr auto summand = Policy::summand;
            return {f, expr::evaluate<void>(summand, at).value};
        } else {
            return {f, L(0.0f)};
        }
    }
    static constexpr L summand([[maybe_unused]] L const& score, [[maybe_unused]] row_numbers<L> const& r) {
        if constexpr (has_sum) {
            constexpr auto formula = Policy::summand;
            return expr::evaluate<void>(formula, point(score, r)).value;
        } else {
            return L(0.0f);
        }
    }
    /// w, and dw/dz (z or the threshold), of a weight that does not separate.
    static constexpr std::pair<L, L> two_passes(L const& score, row_numbers<L> const& r) {
        constexpr auto weight = Policy::weight;
        auto const w = expr::evaluate<expr::sum_tag>(weight, point(score, r));
        return {w.value, w.derivative};
    }
    /// f(s), or w, times the row's factor.
    static constexpr L weight(L const& score, row_numbers<L> const& r) {
        if constexpr (Policy::one_pass) return one_pass(score, r).first * r.factor;
        else return two_passes(score, r).first * r.factor;
    }
    /// w, and the gradient by the score, of do . v.
    static constexpr std::pair<L, L> backward(L const& score, L const& d_w, row_numbers<L> const& r) {
        auto const at = point(score, r);
        L w, ds(0.0f);
        if constexpr (Policy::one_pass) {
            constexpr auto of_score = Policy::factors.of_score;
            auto const f = expr::evaluate<expr::score_tag>(of_score, at);
            w = f.value * r.factor;
            if constexpr (same && f.varies) return {w, f.derivative * (d_w * r.factor + r.adjoint)};
            if constexpr (f.varies) ds = d_w * f.derivative * r.factor;
            if constexpr (has_sum) {
                constexpr auto summand = Policy::summand;
                ds = expr::evaluate<expr::score_tag>(summand, at).derivative * r.adjoint + ds;
            }
        } else {
            constexpr auto weight = Policy::weight;
            auto const f = expr::evaluate<expr::score_tag>(weight, at);
            w = f.value;
            if constexpr (Policy::has_threshold) {   // the threshold moves with each score as the weights do
                ds = f.derivative * (d_w + r.adjoint);
            } else {
                constexpr auto summand = Policy::summand;
                ds = expr::evaluate<expr::score_tag>(summand, at).derivative * r.adjoint + d_w * f.derivative;
            }
        }
        return {w, ds};
    }

    /// m rises to `top` if that is larger, z with it. Returns by what weighted values must be multiplied. Where m is no more than what exp is taken
    /// relative to, it stays until `top` is e^5 times as much: then there is mostly nothing to multiply.
    static constexpr L raise(row_numbers<L>& r, L const& top) {
        constexpr float slack = Policy::one_pass ? 5 : 0;
        L const now = select(r.m + L(slack) < top, top, r.m);
        L const drop = select(r.m < now, expr::lane_functions<L>::exp(r.m - now), L(1.0f));
        r.m = now;
        r.z = r.z * drop;
        r.lift = facts::lift(now);
        return power<facts::degree>(drop);
    }
    static constexpr row_numbers<L> before_the_first() {
        return {L(facts::first_reference), L(0.0f), L(1.0f), L(1.0f), L(1.0f), L(1.0f), L(0.0f)};
    }

private:
    static constexpr expr::scalar_point<L> point(L const& score, row_numbers<L> const& r) {
        if constexpr (Policy::has_threshold)
            return {score - r.m, r.z, r.m, r.lift, r.length, r.visible};
        else
            return {score, r.z, r.m, r.lift, r.length, r.visible};
    }
    template <int N>
    static constexpr L power([[maybe_unused]] L const& x) {
        if constexpr (N == 0) return L(1.0f);
        else if constexpr (N == 1) return x;
        else return x * power<N - 1>(x);
    }
};

}  // namespace attnlab::gpu
