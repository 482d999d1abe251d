#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/attention/row_program.hpp>

/// \file
/// What observers see of attention: whole patterns, slots and gates. Computed again from q, k and the saved row numbers, only when
/// somebody looks; the same code for the reference and the cpu, since what it tells is read by people, not by training.

namespace attnlab {

/// Fills `pattern` (B, H, T, T): weights over the real keys, what a slot takes left out. \param slot (B, H, T) as from `gates`
template <class Policy, class S>
void attention_pattern(attention_problem<S> const& p, attention_saved<S> const& saved, view<S const, 3> slot, view<S, 4> pattern) {
    index_t const pairs = p.B * p.H;
#pragma omp parallel for schedule(dynamic) if (pairs > 1 && pairs * p.T * p.T > (1 << 16))
    for (index_t bh = 0; bh < pairs; ++bh) {
        index_t const b = bh / p.H, h = bh % p.H;
        for (index_t i = 0; i < p.T; ++i) {
            S* const row = pattern.data() + (bh * p.T + i) * p.T;
            std::fill_n(row, p.T, S(0));
            key_range const keys = Policy::mask::keys(i, p.T);
            expr::scalar_point<double> at{0, static_cast<double>(saved.sum(b, h, i)), static_cast<double>(saved.reference(b, h, i)), 1,
                                          p.length(keys)};
            at.lift = std::exp(-at.reference);
            for (index_t j = keys.begin; j < keys.end; ++j) {
                double product = 0;
                for (index_t c = 0; c < p.D; ++c)
                    product += static_cast<double>(p.q.row(b, h, i)[c]) * static_cast<double>(p.k.row(b, h, j)[c]);
                at.score = product * static_cast<double>(p.scale);
                double const w = expr::evaluate<void>(Policy::factors.of_score, at).value * expr::evaluate<void>(Policy::factors.of_sum, at).value;
                row[j] = static_cast<S>(w * (1 - static_cast<double>(slot(b, h, i))));
            }
        }
    }
}

/// Fills `slot` (B, H, T), the share a learned slot takes of a row's weights (0 without one), and `gate` (B, H, T), by what factor the
/// joints scale the weighted values apart from that: the mean over D of dy/do at fixed L, over 1 - slot.
/// \param weighted  sum_j w_ij v_j
template <class Policy, class S>
void attention_gates(attention_problem<S> const& p, attention_saved<S> const& saved, heads<S const> weighted, view<S, 3> slot, view<S, 3> gate) {
    head_sizes const n{p.H, p.D, p.width};
    if constexpr (!Policy::has_output) {
        std::fill(slot.begin(), slot.end(), S(0));
        std::fill(gate.begin(), gate.end(), S(1));
    } else {
        row_program<one_lane<S>, Policy> output;
        std::vector<S> const unit_row(static_cast<std::size_t>(p.D), S(1));
        std::vector<S> d_output(unit_row.size()), d_query(unit_row.size()), d_input(static_cast<std::size_t>(p.width));
        std::vector<std::vector<S>> d_parameters;
        std::apply([&](auto const&... e) { (d_parameters.emplace_back(static_cast<std::size_t>(e.per_head(n))), ...); }, Policy::parameters);
        std::vector<S*> gradients;
        for (auto& d : d_parameters) gradients.push_back(d.data());
        for (index_t b = 0; b < p.B; ++b)
            for (index_t h = 0; h < p.H; ++h) {
                std::vector<S const*> values;
                std::apply([&](auto const&... e) { (values.push_back(p.parameters[values.size()] + h * e.per_head(n)), ...); },
                           Policy::parameters);
                for (index_t t = 0; t < p.T; ++t) {
                    std::fill(d_output.begin(), d_output.end(), S(0));
                    row_point<S> r;
                    r.output = weighted.row(b, h, t);
                    r.query = p.q.row(b, h, t);
                    r.input = p.input ? p.input + (b * p.T + t) * p.width : nullptr;
                    // Only formulas with a row sum may speak of L, and all of those have degree 1.
                    r.log_normalizer = std::log(saved.sum(b, h, t)) + saved.reference(b, h, t);
                    r.scale = p.scale;
                    r.values = values.data();
                    r.gradients = gradients.data();
                    r.d_output = d_output.data();
                    r.d_query = d_query.data();
                    r.d_input = d_input.data();
                    r.head_size = p.D;
                    r.width = p.width;
                    output.backward(r, unit_row.data());
                    S mean = 0;
                    for (S x : d_output) mean += x / static_cast<S>(p.D);
                    S const share = slot_share<one_lane<S>, Policy>(r);
                    slot(b, h, t) = share;
                    gate(b, h, t) = share == 1 ? S(1) : mean / (1 - share);
                }
            }
    }
}

}  // namespace attnlab
