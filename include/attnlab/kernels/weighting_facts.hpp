#pragma once
#include <limits>
#include <type_traits>

#include <attnlab/attention/policy.hpp>

/// \file
/// What kernels read off a policy's weighting, whatever device they run on; and its numbers of a whole row, in lanes of any type.

namespace attnlab {

template <class Policy>
struct weighting_facts {
    using weight_formula = std::remove_const_t<decltype(Policy::weight)>;
    using score_formula = std::remove_const_t<decltype(Policy::factors.of_score)>;
    using summand_formula = std::remove_const_t<decltype(Policy::summand)>;

    /// f(s) is the very summand (softmax): computed once.
    static constexpr bool same = std::is_same_v<score_formula, summand_formula>;
    /// Of f(s): what was summed relative to m shrinks by e^(degree (m - m')) when m rises to m'.
    static constexpr int degree = expr::degree_of<score_formula>;
    /// log w is s less a number of the row: w = exp(s) g(sum of exp(s)).
    static constexpr bool exponential = same && std::is_same_v<score_formula, expr::unary<expr::exp_op, expr::score_symbol>>;
    /// Scores are exponentiated relative to a row's running maximum m; a threshold is solved for relative to it.
    static constexpr bool has_reference =
        expr::has_degree<weight_formula> || expr::has_degree<summand_formula> || Policy::has_threshold;
    /// m starts at 0 where e^-m occurs in the formula.
    static constexpr bool mixes = expr::mixes_degrees<weight_formula> || expr::mixes_degrees<summand_formula>;
    static constexpr float first_reference = has_reference && !mixes ? -std::numeric_limits<float>::infinity() : 0.0f;

    /// e^-m, where the formula mixes degrees.
    template <class L>
    static constexpr L lift([[maybe_unused]] L m) {
        if constexpr (mixes)
            return expr::lane_functions<L>::exp(-m);
        else
            return L(1);
    }
    /// g(Z), by which a row's weighted values are multiplied at the end.
    template <class L>
    static constexpr L row_factor(L m, L z) {
        constexpr auto of_sum = Policy::factors.of_sum;
        return expr::evaluate<void>(of_sum, of_row(m, z)).value;
    }
    /// R, what the row's sum passes on to each of its summands, of a weight f(s) g(Z): g'(Z)/g(Z) (do . o) + dL / Z.
    template <class L>
    static constexpr L row_adjoint([[maybe_unused]] L m, [[maybe_unused]] L z, [[maybe_unused]] L do_dot_o, [[maybe_unused]] L d_log_normalizer) {
        if constexpr (Policy::has_sum) {
            constexpr auto of_sum = Policy::factors.of_sum;
            auto const g = expr::evaluate<expr::sum_tag>(of_sum, of_row(m, z));
            L r = L(0);
            if constexpr (Policy::reads_log_normalizer) r = d_log_normalizer / z;
            if constexpr (g.varies) r = r + g.derivative / g.value * do_dot_o;
            return r;
        } else {
            return L(0);
        }
    }

private:
    template <class L>
    static constexpr expr::scalar_point<L> of_row(L m, L z) {
        return {L(0), z, m, lift(m), L(0), L(0)};
    }
};

}  // namespace attnlab
