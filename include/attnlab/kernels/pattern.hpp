#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <tuple>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/attention/row_program.hpp>

/// \file
/// What observers see of attention: whole patterns, slots and gates. Computed again from q, k and the saved row numbers, only when
/// somebody looks; the same code for the reference and the cpu, since what it tells is read by people, not by training.

namespace attnlab {

/// Fills `pattern` (B, H, T, T): weights over the real keys, what a slot takes left out; and `scores_seen`, unless it is empty: s_ij
/// after all score joints, -inf where masked. \param slot (B, H, T) as from `gates`
template <class Policy, class S>
void attention_pattern(attention_problem<S> const& given, attention_saved<S> const& saved, view<S const, 3> slot, view<S, 4> pattern,
                       view<S, 4> scores_seen = {}) {
    auto const p = saved.template after_prologue<Policy>(given);
    index_t const pairs = p.B * p.H;
#pragma omp parallel for schedule(dynamic) if (pairs > 1 && pairs * p.T * p.T > (1 << 16))
    for (index_t bh = 0; bh < pairs; ++bh) {
        index_t const b = bh / p.H, h = bh % p.H;
        auto const values = detail::of_head<Policy>(p.parameters, p.sizes(), h);
        auto scores = program_of<one_lane<S>, Policy>(Policy::score);
        std::vector<S> products(static_cast<std::size_t>(p.T)), row_scores(products.size()), query(static_cast<std::size_t>(p.D));
        for (index_t i = 0; i < p.T; ++i) {
            S* const row = pattern.data() + (bh * p.T + i) * p.T;
            S* const seen = scores_seen.empty() ? nullptr : scores_seen.data() + (bh * p.T + i) * p.T;
            std::fill_n(row, p.T, S(0));
            if (seen) std::fill_n(seen, p.T, -std::numeric_limits<S>::infinity());
            auto const keys = p.template visible<Policy>(b, i);
            auto const n = p.lengths(keys.count());
            double const m = static_cast<double>(saved.reference(b, h, i));
            expr::scalar_point<double> at{0, static_cast<double>(saved.sum(b, h, i)), m, std::exp(-m), n.length, n.visible};
            auto r = p.template row<Policy>(b, h, i, values.data());
            r.source = products.data();
            // Rounded as the kernel does it, or weights near scores of 10^4 would not sum to 1: q scaled, then products in order.
            S const scale = p.template score_scale<Policy>();
            std::transform(p.q.row(b, h, i), p.q.row(b, h, i) + p.D, query.begin(), [=](S x) { return x * scale; });
            r.scale /= scale;
            if constexpr (Policy::has_tokens) r.tokens = &saved.tokens(b, h, 0);
            for (key_range const range : keys.ranges()) {
                r.first_key = range.begin, r.keys = range.end - range.begin;
                if (r.keys == 0) continue;
                for (index_t j = range.begin; j < range.end; ++j) {
                    S product = 0;
                    for (index_t c = 0; c < p.D; ++c)
                        product = std::fma(query[static_cast<std::size_t>(c)], p.k.row(b, p.kv_head(h), j)[c], product);
                    products[static_cast<std::size_t>(j - range.begin)] = product;
                }
                scores.forward(r, row_scores.data());
                for (index_t j = range.begin; j < range.end; ++j) {
                    if (!keys.sees(j)) continue;
                    S const score = row_scores[static_cast<std::size_t>(j - range.begin)];
                    if (seen) seen[j] = score;
                    at.score = static_cast<double>(score) - (Policy::has_threshold ? m : 0);
                    double const w = expr::evaluate<void>(Policy::weight, at).value;
                    row[j] = static_cast<S>(w * (1 - static_cast<double>(slot(b, h, i))));
                }
            }
        }
    }
}

/// Fills `slot` (B, H, T), the share a learned slot takes of a row's weights (0 without one), and `gate` (B, H, T), by what factor the
/// joints scale the weighted values apart from that: the mean over D of dy/do at fixed L, over 1 - slot.
/// \param weighted  sum_j w_ij v_j
template <class Policy, class S>
void attention_gates(attention_problem<S> const& given, attention_saved<S> const& saved, heads<S const> weighted, view<S, 3> slot,
                     view<S, 3> gate) {
    if constexpr (!Policy::has_output) {
        std::fill(slot.begin(), slot.end(), S(0));
        std::fill(gate.begin(), gate.end(), S(1));
    } else {
        auto const p = saved.template after_prologue<Policy>(given);
        auto output = program_of<one_lane<S>, Policy>(Policy::output);
        std::vector<S> const unit_row(static_cast<std::size_t>(p.D), S(1));
        // Only d_output is looked at; the program wants room for the other gradients.
        std::vector<S> d_output(unit_row.size()), d_query(unit_row.size()), d_projection(unit_row.size());
        std::vector<S> d_input(static_cast<std::size_t>(p.width));
        std::vector<std::vector<S>> d_parameters;
        std::apply([&](auto const&... e) { (d_parameters.emplace_back(static_cast<std::size_t>(e.per_head(p.sizes()))), ...); },
                   Policy::parameters);
        std::vector<S*> gradients;
        for (auto& d : d_parameters) gradients.push_back(d.data());
        std::vector<S*> const d_projections(Policy::parameter_count, d_projection.data());
        std::vector<S const*> projections(Policy::parameter_count);
        for (index_t b = 0; b < p.B; ++b)
            for (index_t h = 0; h < p.H; ++h) {
                auto const values = detail::of_head<Policy>(p.parameters, p.sizes(), h);
                for (index_t t = 0; t < p.T; ++t) {
                    std::fill(d_output.begin(), d_output.end(), S(0));
                    detail::each_matrix<Policy>([&](auto const&, std::size_t i) { projections[i] = &saved.projections[i](b, t, h * p.D); });
                    auto r = p.template row<Policy>(b, h, t, values.data());
                    r.source = weighted.row(b, h, t);
                    r.query = p.q.row(b, h, t);
                    r.log_normalizer = detail::log_normalizer<Policy>(saved.reference(b, h, t), saved.sum(b, h, t));
                    r.projections = projections.data();
                    r.gradients = gradients.data();
                    r.d_source = d_output.data();
                    r.d_query = d_query.data();
                    r.d_input = d_input.data();
                    r.d_projections = d_projections.data();
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
