#pragma once
#include <concepts>

#include <attnlab/core/view.hpp>
#include <attnlab/core/xsimd.hpp>

/// \file
/// One pass over the arrays of an update rule. The rule is written once, for a number; the same text runs on registers.
/// (A plain loop would do, but compilers leave it scalar where sqrt may set errno.)

namespace attnlab {

/// Fewer elements than this are not worth waking threads for.
inline constexpr index_t sweep_threads_from = 1 << 15;

/// Calls `rule(g[i], state[i]...)` for i in [0, n); the rule changes the state through references. Each element sees the same
/// arithmetic whatever the number of threads.
template <class Rule, class T, std::same_as<T>... State>
void sweep(index_t n, T const* g, Rule const& rule, State*... state) {
    using pack = xsimd::batch<T>;
    constexpr index_t width = static_cast<index_t>(pack::size);
    index_t const whole = n / width * width;
    auto const update = [&](index_t i, auto... s) {
        rule(pack::load_unaligned(g + i), s...);
        (s.store_unaligned(state + i), ...);
    };
#pragma omp parallel for schedule(static) if (n >= sweep_threads_from)
    for (index_t i = 0; i < whole; i += width) update(i, pack::load_unaligned(state + i)...);
    for (index_t i = whole; i < n; ++i) rule(g[i], state[i]...);
}

}  // namespace attnlab
