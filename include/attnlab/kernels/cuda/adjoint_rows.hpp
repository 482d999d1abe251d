#pragma once
#include <cstdint>
#include <type_traits>

#include <attnlab/kernels/cuda/bits.hpp>
#include <attnlab/kernels/cuda/rows.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/weigh.hpp>
#include <attnlab/kernels/weighting_facts.hpp>

/// \file
/// The numbers of rows that backward's tiles read, before them: where the tiles do not make them (rows_back.hpp), nor, of a weight in one pass, an output joint's way back (token_joints.hpp).

namespace attnlab::gpu {

/// What the way back knows of rows beside m and Z: g(Z) of a weight f(s) g(Z), and R, what Z, or the threshold, passes on to each score (weighting_facts::row_adjoint),
/// from d_weighted . weighted and the gradient by log Z.
template <class L>
struct row_adjoint {
    L factor, adjoint;
};
template <class Policy, class L>
constexpr row_adjoint<L> adjoint_of(L const& m, L const& z, L const& dot, L const& d_log_normalizer) {
    using facts = weighting_facts<Policy>;
    if constexpr (Policy::one_pass) return {facts::row_factor(m, z), facts::row_adjoint(m, z, dot, d_log_normalizer)};
    else return {L(1.0f), dot + select(each(d_log_normalizer, [](float x) { return x == 0; }), d_log_normalizer, d_log_normalizer / z)};
}
/// The record of a row beyond T.
inline constexpr row_record no_row{0, 1, 0, 0};
/// The record of a row of a weight in one pass. \param none  whether it sees no key
template <class Policy>
constexpr row_record record_of(float m, float z, float dot, float d_log_normalizer, bool none) {
    using number = lanes_of<float, 1>;
    auto const back = adjoint_of<Policy>(number(m), number(z), number(dot), number(d_log_normalizer));
    return {m, z, back.factor.v[0], none ? 0 : back.adjoint.v[0]};
}

/// The records of all rows. Adjacent rows of a head share a warp,
/// 8 lanes a row, twice N adjacent channels a lane at once.
template <class Policy, int N, class A, class B>
struct adjoint_rows {
    static constexpr int lanes = 8, rows = warp_size / lanes;
    tile_problem<Policy> p;
    heads<A> d_weighted;
    heads<B> weighted;   ///< by_sum where the weight does not separate
    float const *reference, *sum, *d_log_normalizer;
    row_record* records;                       ///< (B, H, padded T), assigned
    divisor groups, heads_of_sequence;         ///< of a head's rows; heads

    template <class Warp>
    constexpr void operator()(Warp const&, index_t group) const {
        using number = typename Warp::number;
        auto const n = static_cast<std::uint32_t>(group), pair = groups.quotient(n);
        index_t const b = heads_of_sequence.quotient(pair), h = heads_of_sequence.rest(pair), first = index_t{groups.rest(n)} * rows;
        auto const query = [&](int lane) { return first + lane / lanes; };
        auto const of_rows = [&](float const* x, float beyond) { return at_queries<Warp>(p, x, b, h, query, beyond); };
        number const m = of_rows(reference, 0), z = of_rows(sum, 1);
        number dot(0.0f), d_l(0.0f);
        if constexpr (Policy::has_sum || Policy::has_threshold) {
            number products(0.0f);
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
            dot = Warp::template butterfly<lanes, 1>(products, [](float x, float y) { return x + y; });
            if constexpr (Policy::has_output && Policy::reads_log_normalizer) d_l = of_rows(d_log_normalizer, 0);
        }
        auto const r = adjoint_of<Policy>(m, z, dot, d_l);
        Warp::visit([&](int lane, int i) {
            if (lane % lanes != 0) return;
            index_t const t = query(lane);
            row_record record = no_row;
            if (t < p.T) record = {m.v[i], z.v[i], r.factor.v[i], p.template visible<Policy>(b, t).none() ? 0 : r.adjoint.v[i]};
            records[group * rows + lane / lanes] = record;
        });
    }
};

}  // namespace attnlab::gpu
