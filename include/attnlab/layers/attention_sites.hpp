#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/attention_statistics.hpp>
#include <attnlab/kernels/pattern.hpp>
#include <attnlab/observe/observer.hpp>

/// \file
/// What observers ask of attention, made only for them: its kernels are fused and keep none of it.

namespace attnlab {

namespace detail {
/// `use` of a copy (B, H, T, D) of rows that lie elsewhere.
template <class S, class Use>
void with_copy(attention_problem<S> const& p, heads<S const> x, index_t count, Use use) {
    tensor<S, 4> copy({p.B, count, p.T, p.D});
    for (index_t b = 0; b < p.B; ++b)
        for (index_t h = 0; h < count; ++h)
            for (index_t t = 0; t < p.T; ++t) std::copy_n(x.row(b, h, t), p.D, &copy(b, h, t, 0));
    use(copy);
}
}  // namespace detail

/// Lets observers change q, k and v (B, H, T, D) before the kernel reads them.
/// \param qkv  (B, T, (H + 2 H_kv) D), where they lie
template <class Policy, observer Observer, class S>
void watch_before_attention([[maybe_unused]] Observer& o, [[maybe_unused]] index_t layer,
                            [[maybe_unused]] attention_problem<S> const& p, [[maybe_unused]] tensor<S, 3>& qkv) {
    [[maybe_unused]] auto const change = [&](auto at, heads<S> x, index_t count) {
        detail::with_copy<S>(p, x, count, [&](tensor<S, 4>& copy) {
            watch(o, at, layer, copy);
            for (index_t b = 0; b < p.B; ++b)
                for (index_t h = 0; h < count; ++h)
                    for (index_t t = 0; t < p.T; ++t) std::copy_n(&copy(b, h, t, 0), p.D, x.row(b, h, t));
        });
    };
    static_assert(
        !(alters<Observer, site::q> && Policy::has_query) && !(alters<Observer, site::k> && Policy::has_key) &&
            !(alters<Observer, site::v> && Policy::has_value),
        "an observer alters q, k or v that this policy's prologue makes inside the kernel (rope, qk_norm, ...): expected "
        "site::z or a site before it");
    if constexpr (alters<Observer, site::q>) change(site::q{}, merged_heads(*qkv, p.D, 0), p.H);
    if constexpr (alters<Observer, site::k>) change(site::k{}, merged_heads(*qkv, p.D, p.H * p.D), p.kv_heads());
    if constexpr (alters<Observer, site::v>) change(site::v{}, merged_heads(*qkv, p.D, (p.H + p.kv_heads()) * p.D), p.kv_heads());
}

/// Shows q, k, v as the scores saw them, scores, pattern, slot and gate, of a forward pass that is done. \param z  (B, T, C)
template <class Policy, observer Observer, class S>
void watch_after_attention([[maybe_unused]] Observer& o, [[maybe_unused]] index_t layer,
                           [[maybe_unused]] attention_problem<S> const& p, [[maybe_unused]] attention_saved<S> const& s,
                           [[maybe_unused]] tensor<S, 3> const& z) {
    // What an observer could alter it has seen.
    [[maybe_unused]] auto const separate = [&]<class Site>(Site at, [[maybe_unused]] auto rows, [[maybe_unused]] index_t count) {
        if constexpr (wants<Observer, Site> && !alters<Observer, Site>)
            detail::with_copy<S>(p, rows(s.template after_prologue<Policy>(p)), count,
                                 [&](tensor<S, 4> const& copy) { watch(o, at, layer, copy); });
    };
    separate(site::q{}, [](auto const& after) { return after.q; }, p.H);
    separate(site::k{}, [](auto const& after) { return after.k; }, p.kv_heads());
    separate(site::v{}, [](auto const& after) { return after.v; }, p.kv_heads());
    if constexpr (wants<Observer, site::attn_scores> || wants<Observer, site::pattern> || wants<Observer, site::slot> ||
                  wants<Observer, site::gate>) {
        tensor<S, 3> slot({p.B, p.H, p.T}), gate({p.B, p.H, p.T});
        attention_gates<Policy, S>(p, s, s.template weighted_values<Policy>(p, merged_heads(*z, p.D)), slot, gate);
        if constexpr (wants<Observer, site::attn_scores> || wants<Observer, site::pattern>) {
            tensor<S, 4> pattern({p.B, p.H, p.T, p.T}), scores;
            if constexpr (wants<Observer, site::attn_scores>) scores.resize(pattern.shape());
            attention_pattern<Policy, S>(p, s, slot, pattern, scores);
            watch(o, site::attn_scores{}, layer, std::as_const(scores));
            watch(o, site::pattern{}, layer, std::as_const(pattern));
        }
        watch(o, site::slot{}, layer, std::as_const(slot));
        watch(o, site::gate{}, layer, std::as_const(gate));
    }
}

/// Whether `Observer` looks at what the kernel's tiles tell of the pattern.
template <class Observer>
inline constexpr bool wants_statistics = wants<Observer, site::pattern_sums> || wants<Observer, site::pattern_entropy> ||
                                         wants<Observer, site::largest_score> || wants<Observer, site::pattern_columns>;

/// The keys whose columns an observer wants: its `keys`, or the first token, where sinks are.
template <observer Observer>
std::vector<index_t> keys_of([[maybe_unused]] Observer const& o) {
    if constexpr (!wants<Observer, site::pattern_columns>)
        return {};
    else if constexpr (requires { o.keys; })
        return o.keys;
    else
        return {0};
}

/// Shows the statistics of a forward pass.
template <observer Observer, class S>
void watch_statistics(Observer& o, index_t layer, attention_statistics<S> const& s) {
    watch(o, site::pattern_sums{}, layer, s.column_sums);
    watch(o, site::pattern_entropy{}, layer, s.entropy);
    watch(o, site::largest_score{}, layer, s.largest_score);
    watch(o, site::pattern_columns{}, layer, s.columns);
}

}  // namespace attnlab
