#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/ref/matrix.hpp>

/// \file
/// The weighting: from the scores of a head to its weights, and the gradient back.

namespace attnlab::detail {

/// The weights of a head and the numbers of each row that they are made with.
struct weight_matrix {
    matrix weights;          ///< (T, T), zero where a query does not see a key
    matrix reference, sum;   ///< (T, 1): m_i, and Z_i e^-m_i or the threshold t_i - m_i
    matrix log_normalizer;   ///< (T, 1): log Z_i
};

/// Where entry (i, j) of a head stands, for the formulas of the weighting.
template <class Policy>
expr::scalar_point<double> point_of(matrix const& scores, weight_matrix const& w, expr::row_lengths n, index_t i, index_t j) {
    double const m = w.reference(i, 0), score = Policy::has_threshold ? scores(i, j) - m : scores(i, j);
    return {score, w.sum(i, 0), m, std::exp(-m), n.length, n.visible};
}

/// The t at which `total`, which falls with t, is 1, to the last bit.
template <class Total>
double solve_threshold(Total total) {
    constexpr int doublings = 1000;   // then t is as far away as a double can be: no t will do
    double low = -1, high = 0;
    for (int i = 0; i < doublings && total(low) < 1; ++i) {
        high = low;
        low *= 2;
    }
    double step = 0.5;
    for (int i = 0; i < doublings && total(high) >= 1; ++i) {
        low = high;
        high += step;
        step *= 2;
    }
    for (double middle = (low + high) / 2; low < middle && middle < high; middle = (low + high) / 2)
        if (total(middle) >= 1)
            low = middle;
        else
            high = middle;
    return low;
}

/// \param scores (T, T), after the score joint
template <class Policy>
weight_matrix weights_of(attention_problem<double> const& p, index_t b, matrix const& scores) {
    using weight_formula = std::remove_const_t<decltype(Policy::weight)>;
    using summand_formula = std::remove_const_t<decltype(Policy::summand)>;
    constexpr bool has_reference = expr::has_degree<weight_formula> || Policy::has_threshold;
    // Sums of unequal degrees are lifted by e^-m, which must not overflow.
    constexpr double least_reference =
        expr::mixes_degrees<weight_formula> || expr::mixes_degrees<summand_formula> ? 0 : -std::numeric_limits<double>::infinity();
    matrix const zeros(p.T, 1);
    weight_matrix out{matrix(p.T, p.T), zeros, zeros, zeros};

    for (index_t i = 0; i < p.T; ++i) {
        auto const keys = p.visible<Policy>(b, i);
        auto const n = p.lengths(keys.count());
        double& m = out.reference(i, 0);
        double& sum = out.sum(i, 0);
        if constexpr (has_reference) {
            m = least_reference;
            keys.each([&](index_t j) { m = std::max(m, scores(i, j)); });
        }
        if constexpr (Policy::has_sum) {
            keys.each([&](index_t j) { sum += expr::evaluate<void>(Policy::summand, point_of<Policy>(scores, out, n, i, j)).value; });
            out.log_normalizer(i, 0) = std::log(sum) + (expr::degree_of<summand_formula> == 1 ? m : 0);
        }
        auto const weight = [&](index_t j) { return expr::evaluate<void>(Policy::weight, point_of<Policy>(scores, out, n, i, j)).value; };
        [[maybe_unused]] auto const total_at = [&](double threshold) {
            sum = threshold;
            double total = 0;
            keys.each([&](index_t j) { total += weight(j); });
            return total;
        };
        if constexpr (Policy::has_threshold)
            if (!keys.none()) sum = solve_threshold(total_at);
        keys.each([&](index_t j) { out.weights(i, j) = weight(j); });
    }
    return out;
}

/// The gradient of the scores. \param d_weights (T, T) \param d_log_normalizer (T, 1)
template <class Policy>
matrix pull_weights(attention_problem<double> const& p, index_t b, matrix const& scores, weight_matrix const& w, matrix const& d_weights,
                    [[maybe_unused]] matrix const& d_log_normalizer) {
    matrix d_scores(p.T, p.T);
    for (index_t i = 0; i < p.T; ++i) {
        auto const keys = p.visible<Policy>(b, i);
        if (keys.none()) continue;
        auto const n = p.lengths(keys.count());
        auto const at = [&](index_t j) { return point_of<Policy>(scores, w, n, i, j); };

        // At fixed Z, or fixed threshold.
        keys.each([&](index_t j) {
            auto const by_score = expr::evaluate<expr::score_tag>(Policy::weight, at(j));
            if constexpr (by_score.varies) d_scores(i, j) = d_weights(i, j) * by_score.derivative;
        });
        // dE/dZ of the row, or dE/dt: through every weight, and through log Z.
        double d_sum = 0;
        if constexpr (Policy::has_sum || Policy::has_threshold)
            keys.each([&](index_t j) {
                auto const by_sum = expr::evaluate<expr::sum_tag>(Policy::weight, at(j));
                if constexpr (by_sum.varies) d_sum += d_weights(i, j) * by_sum.derivative;
            });
        if constexpr (Policy::has_sum) {
            if constexpr (Policy::reads_log_normalizer) d_sum += d_log_normalizer(i, 0) / w.sum(i, 0);
            keys.each([&](index_t j) {
                auto const by_score = expr::evaluate<expr::score_tag>(Policy::summand, at(j));
                if constexpr (by_score.varies) d_scores(i, j) += d_sum * by_score.derivative;
            });
        }
        if constexpr (Policy::has_threshold) {
            // From sum_j w(s_j, t) = 1: dt/ds_j = (dw_j/ds) / -(sum_j dw_j/dt).
            double fall = 0;
            keys.each([&](index_t j) { fall -= expr::evaluate<expr::sum_tag>(Policy::weight, at(j)).derivative; });
            keys.each([&](index_t j) {
                if (fall != 0) d_scores(i, j) += d_sum / fall * expr::evaluate<expr::score_tag>(Policy::weight, at(j)).derivative;
            });
        }
    }
    return d_scores;
}

}  // namespace attnlab::detail
