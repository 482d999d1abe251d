#pragma once
#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/attention_statistics.hpp>
#include <attnlab/kernels/pattern.hpp>
#include <attnlab/observe/after_device.hpp>
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

namespace detail {
/// Whether the kernel reads what the observer makes of `Site`: where a prologue makes q, k or v inside the kernel, an observer that asks
/// at run time only looks, and one that says so in its type does not compile.
template <class Observer, class Site, bool InKernel>
inline constexpr bool changes = alters<Observer, Site> && !(InKernel && asks_at_run_time<Observer>);
}  // namespace detail

/// Lets observers change q, k and v (B, H, T, D) before the kernel reads them.
/// \param qkv  (B, T, (H + 2 H_kv) D), where they lie
template <class Policy, observer Observer, class S>
void watch_before_attention([[maybe_unused]] Observer& o, [[maybe_unused]] index_t layer,
                            [[maybe_unused]] attention_problem<S> const& p, [[maybe_unused]] std::type_identity_t<view<S, 3>> qkv) {
    [[maybe_unused]] auto const change = [&](auto at, heads<S> x, index_t count) {
        if (!asked(o, at, layer)) return;
        detail::with_copy<S>(p, x, count, [&](tensor<S, 4>& copy) {
            watch(o, at, layer, copy);
            for (index_t b = 0; b < p.B; ++b)
                for (index_t h = 0; h < count; ++h)
                    for (index_t t = 0; t < p.T; ++t) std::copy_n(&copy(b, h, t, 0), p.D, x.row(b, h, t));
        });
    };
    constexpr bool q = detail::changes<Observer, site::q, Policy::has_query>, k = detail::changes<Observer, site::k, Policy::has_key>,
                   v = detail::changes<Observer, site::v, Policy::has_value>;
    static_assert(!(q && Policy::has_query) && !(k && Policy::has_key) && !(v && Policy::has_value),
                  "an observer alters q, k or v that this policy's prologue makes inside the kernel (rope, qk_norm, ...): expected "
                  "site::z or a site before it");
    if constexpr (q) change(site::q{}, merged_heads(qkv, p.D, 0), p.H);
    if constexpr (k) change(site::k{}, merged_heads(qkv, p.D, p.H * p.D), p.kv_heads());
    if constexpr (v) change(site::v{}, merged_heads(qkv, p.D, (p.H + p.kv_heads()) * p.D), p.kv_heads());
}

/// Shows q, k, v as the scores saw them, scores, pattern, slot and gate, of a forward pass that is done. \param z  what it made
template <class Policy, observer Observer, class S>
void watch_after_attention([[maybe_unused]] Observer& o, [[maybe_unused]] index_t layer,
                           [[maybe_unused]] attention_problem<S> const& p, [[maybe_unused]] attention_saved<S> const& s,
                           [[maybe_unused]] std::type_identity_t<stored_heads<S const>> const& z) {
    // What an observer could alter it has seen.
    [[maybe_unused]] auto const separate = [&]<class Site, bool InKernel>(Site at, std::bool_constant<InKernel>,
                                                                          [[maybe_unused]] auto rows, [[maybe_unused]] index_t count) {
        if constexpr (wants<Observer, Site> && !detail::changes<Observer, Site, InKernel>)
            if (asked(o, at, layer))
                detail::with_copy<S>(p, rows(s.template after_prologue<Policy>(p)), count,
                                     [&](tensor<S, 4> const& copy) { watch(o, at, layer, copy); });
    };
    separate(site::q{}, std::bool_constant<Policy::has_query>{}, [](auto const& after) { return after.q; }, p.H);
    separate(site::k{}, std::bool_constant<Policy::has_key>{}, [](auto const& after) { return after.k; }, p.kv_heads());
    separate(site::v{}, std::bool_constant<Policy::has_value>{}, [](auto const& after) { return after.v; }, p.kv_heads());
    constexpr bool scores_wanted = wants<Observer, site::attn_scores>, pattern_wanted = wants<Observer, site::pattern>;
    if constexpr (scores_wanted || pattern_wanted || wants<Observer, site::slot> || wants<Observer, site::gate>) {
        bool const scores_asked = asked(o, site::attn_scores{}, layer), pattern_asked = asked(o, site::pattern{}, layer);
        if (!scores_asked && !pattern_asked && !asked(o, site::slot{}, layer) && !asked(o, site::gate{}, layer)) return;
        tensor<S, 3> slot({p.B, p.H, p.T}), gate({p.B, p.H, p.T});
        attention_gates<Policy, S>(p, s, s.template weighted_values<Policy>(p, z), slot, gate);
        if constexpr (scores_wanted || pattern_wanted)
            if (scores_asked || pattern_asked) {
                tensor<S, 4> pattern({p.B, p.H, p.T, p.T}), scores;
                if (scores_asked) scores.resize(pattern.shape());
                attention_pattern<Policy, S>(p, s, slot, pattern, scores);
                watch(o, site::attn_scores{}, layer, std::as_const(scores));
                watch(o, site::pattern{}, layer, std::as_const(pattern));
            }
        watch(o, site::slot{}, layer, std::as_const(slot));
        watch(o, site::gate{}, layer, std::as_const(gate));
    }
}

/// Whether `Observer` asks for anything that is made of rows of q, k and v beside the kernel.
template <class Observer>
inline constexpr bool wants_rows = wants<Observer, site::q> || wants<Observer, site::k> || wants<Observer, site::v> || wants<Observer, site::attn_scores> ||
                                   wants<Observer, site::pattern> || wants<Observer, site::slot> || wants<Observer, site::gate>;
/// Whether `Observer` looks at what the kernel's tiles tell of the pattern.
template <class Observer>
inline constexpr bool wants_statistics = wants<Observer, site::pattern_sums> || wants<Observer, site::pattern_entropy> ||
                                         wants<Observer, site::largest_score> || wants<Observer, site::pattern_columns>;

/// Whether it asks for any of that in this layer.
template <observer Observer>
constexpr bool asks_statistics(Observer const& o, index_t layer) {
    return asked(o, site::pattern_sums{}, layer) || asked(o, site::pattern_entropy{}, layer) || asked(o, site::largest_score{}, layer) ||
           asked(o, site::pattern_columns{}, layer);
}

/// Shows the statistics of a forward pass.
template <observer Observer, class S>
void watch_statistics(Observer& o, index_t layer, attention_statistics<S> const& s) {
    watch(o, site::pattern_sums{}, layer, s.column_sums);
    watch(o, site::pattern_entropy{}, layer, s.entropy);
    watch(o, site::largest_score{}, layer, s.largest_score);
    watch(o, site::pattern_columns{}, layer, s.columns);
}

/// The kernel, with statistics where somebody asks for them, and all that observers see of it. \param z  the result, not rounded where `wants_rows`
template <class Policy, class Device, observer Observer, class S>
void attend(attention_problem<S> const& p, attention_saved<S>& rows, std::type_identity_t<stored_heads<S>> const& z, Observer& o, index_t layer) {
    if constexpr (wants_statistics<Observer>)
        if (asks_statistics(o, layer)) {
            attention_statistics<S> statistics;
            statistics.keys = keys_of(o, layer);
            attention_forward<Policy>(Device{}, p, rows, z, statistics);
            watch_after_attention<Policy>(o, layer, p, rows, z);
            return watch_statistics(o, layer, statistics);
        }
    attention_forward<Policy>(Device{}, p, rows, z);
    watch_after_attention<Policy>(o, layer, p, rows, z);
}

}  // namespace attnlab
