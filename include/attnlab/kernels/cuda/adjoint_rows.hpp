#pragma once
#include <cstdint>
#include <type_traits>

#include <attnlab/kernels/cuda/rows.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/weigh.hpp>
#include <attnlab/kernels/weighting_facts.hpp>

/// \file
/// The numbers of rows that backward's tiles read, before them.

namespace attnlab::gpu {

/// g(Z) of each row, and R: what its Z, or threshold, passes on to each score (see weighting_facts::row_adjoint). Adjacent rows of a head share a warp,
/// 8 lanes a row, twice N adjacent channels a lane at once.
template <class Policy, int N, class A, class B>
struct adjoint_rows {
    static constexpr int lanes = 8, rows = warp_size / lanes;
    tile_problem<Policy> p;
    heads<A> d_weighted;
    heads<B> weighted;   ///< by_sum where the weight does not separate
    float const *reference, *sum, *d_log_normalizer;
    row_record* records;                       ///< (B, H, padded T), assigned

    template <class Warp>
    constexpr void operator()(Warp const&, index_t group) const {
        using facts = weighting_facts<Policy>;
        using number = typename Warp::number;
        // Divisions of 64 bits would be half of this kernel.
        auto const narrow = [](index_t n) { return static_cast<std::uint32_t>(n); };
        std::uint32_t const groups = narrow(padded_length(p.T) / rows), pair = narrow(group) / groups, of_pair = narrow(group) % groups;
        index_t const b = pair / narrow(p.H), h = pair % narrow(p.H), first = index_t{of_pair} * rows;
        auto const query = [&](int lane) { return first + lane / lanes; };
        auto const of_rows = [&](float const* x, float beyond) { return at_queries<Warp>(p, x, b, h, query, beyond); };
        number const m = of_rows(reference, 0), z = of_rows(sum, 1);
        number f(1.0f), r(0.0f);
        if constexpr (Policy::has_sum || Policy::has_threshold) {
            number products(0.0f), d_l(0.0f);
            for (index_t c = 0; c < p.D; c += 2 * N * lanes)
                Warp::visit([&](int lane, int i) {
                    using as = detail::adjacent<std::remove_const_t<A>, N>;
                    using bs = detail::adjacent<std::remove_const_t<B>, N>;
                    index_t const t = query(lane);
                    if (t >= p.T) return;
                    A* const x = d_weighted.row(b, h, t);
                    B* const y = weighted.row(b, h, t);
                    as xs[2]{};
                    bs ys[2]{};
                    unrolled<2>([&](int k) {
                        index_t const channel = c + N * (lane % lanes + k * lanes);
                        if (channel < p.D) xs[k] = *reinterpret_cast<as const*>(x + channel), ys[k] = *reinterpret_cast<bs const*>(y + channel);
                    });
                    for (int k = 0; k < 2; ++k)
                        for (int j = 0; j < N; ++j) products.v[i] += static_cast<float>(xs[k].v[j]) * static_cast<float>(ys[k].v[j]);
                });
            number const dot = Warp::template butterfly<lanes, 1>(products, [](float x, float y) { return x + y; });
            if constexpr (Policy::has_output && Policy::reads_log_normalizer) d_l = of_rows(d_log_normalizer, 0);
            if constexpr (Policy::one_pass)
                r = facts::row_adjoint(m, z, dot, d_l);
            else
                r = dot + select(each(d_l, [](float x) { return x == 0; }), d_l, d_l / z);
        }
        if constexpr (Policy::one_pass) f = facts::row_factor(m, z);
        Warp::visit([&](int lane, int i) {
            if (lane % lanes != 0) return;
            index_t const t = query(lane);
            row_record record{0, 1, 0, 0};
            if (t < p.T) record = {m.v[i], z.v[i], f.v[i], p.template visible<Policy>(b, t).none() ? 0 : r.v[i]};
            records[group * rows + lane / lanes] = record;
        });
    }
};

}  // namespace attnlab::gpu
