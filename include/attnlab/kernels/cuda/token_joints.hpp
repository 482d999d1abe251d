#pragma once
#include <cstdint>

#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/token_rows.hpp>
#include <attnlab/kernels/cuda/weigh.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>
#include <attnlab/kernels/weighting_facts.hpp>

/// \file
/// Prologues, token numbers and output joints: what each does with a row, on the way forward and back (see kernels/cuda/token_rows.hpp).

namespace attnlab::gpu {

/// The program of a formula of `Policy` on a warp.
template <class Policy, class Warp, class Formula>
constexpr auto program_on(Warp const&, Formula const& formula) {
    return row_program<row_lanes<Warp>, Policy, std::remove_const_t<Formula>>(formula);
}
/// y = x, y = 0 on a row of n.
template <class Warp>
constexpr void copy_row(Warp const&, float* y, float const* x, index_t n) {
    each_chunk(n, [&](index_t i) { store<Warp>(y + i, load<Warp>(x + i, n - i), n - i); });
}
template <class Warp>
constexpr void clear_row(Warp const&, float* y, index_t n) {
    each_chunk(n, [&](index_t i) { store<Warp>(y + i, typename Warp::number(0.0f), n - i); });
}

enum class prologue { query, key, value };
template <class Policy, prologue Which>
constexpr auto prologue_formula() {
    if constexpr (Which == prologue::query) return Policy::query;
    else if constexpr (Which == prologue::key) return Policy::key;
    else return Policy::value;
}

template <class Policy, prologue Which>
struct prologue_forward {
    heads<float const> from;
    heads<float> to;
    template <class Warp>
    constexpr void operator()(Warp const& w, row_point<float>& r, index_t, index_t b, index_t h, index_t t) const {
        constexpr auto formula = prologue_formula<Policy, Which>();
        r.source = from.row(b, h, t);
        program_on<Policy>(w, formula).forward(r, to.row(b, h, t));
    }
};
template <class Policy, prologue Which>
struct prologue_backward {
    heads<float const> from;
    heads<float> d;          ///< by what the prologue made, becomes by what it was given
    float* room;             ///< (parts, warps, D)
    index_t T;
    template <class Warp>
    constexpr void operator()(Warp const& w, row_point<float>& r, index_t part, index_t b, index_t h, index_t t) const {
        constexpr auto formula = prologue_formula<Policy, Which>();
        index_t const D = r.head_size;
        float *const row = d.row(b, h, t), *const dy = room + (part * warps_of_token<Policy> + w.index()) * D;
        copy_row(w, dy, row, D);
        clear_row(w, row, D);
        w.sync();
        r.source = from.row(b, h, t), r.d_source = row;
        program_on<Policy>(w, formula).backward(r, dy);
    }
};

template <class Policy>
struct numbers_forward {
    float* tokens;   ///< (B, H, T)
    index_t H, T;
    template <class Warp>
    constexpr void operator()(Warp const&, row_point<float>& r, index_t, index_t b, index_t h, index_t t) const {
        constexpr auto formula = Policy::tokens.a;
        float const x = expr::evaluator<row_lanes<Warp>, Policy, std::remove_const_t<decltype(formula)>>(formula).forward(r);
        Warp::once([&] { tokens[(b * H + h) * T + t] = x; });
    }
};
template <class Policy>
struct numbers_backward {
    float const* d_tokens;   ///< (B, H, T)
    index_t H, T;
    template <class Warp>
    constexpr void operator()(Warp const&, row_point<float>& r, index_t, index_t b, index_t h, index_t t) const {
        constexpr auto formula = Policy::tokens.a;
        expr::evaluator<row_lanes<Warp>, Policy, std::remove_const_t<decltype(formula)>> number(formula);
        number.forward(r);
        number.backward(r, d_tokens[(b * H + h) * T + t]);
    }
};
/// Each row of T numbers summed along the sequence, or from its end, in double: a warp a row.
struct scan_program {
    float* x;
    index_t T;
    bool from_end;
    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        float* const numbers = x + row * T;
        double before = 0;
        for (index_t first = 0; first < T; first += warp_size) {
            auto const place = [&](int lane) { return from_end ? T - 1 - first - lane : first + lane; };
            auto sums = Warp::each_lane([&](int lane) { return first + lane < T ? static_cast<double>(numbers[place(lane)]) : 0.0; });
            for (int step = 1; step < warp_size; step *= 2) {
                auto const lower = Warp::shifted(sums, step);
                sums = sums + lower;
            }
            Warp::visit([&](int lane, int i) {
                if (first + lane < T) numbers[place(lane)] = static_cast<float>(before + sums.v[i]);
            });
            before += Warp::of_lane(sums, warp_size - 1);
        }
    }
};

/// An output joint's view of a row.
template <class Policy>
struct output_rows {
    heads<float const> weighted, query;
    float const *reference, *sum;   ///< (B, H, T)
    index_t H, T, D;

    constexpr void look(row_point<float>& r, index_t b, index_t h, index_t t) const {
        r.source = weighted.row(b, h, t);
        r.query = query.row(b, h, t);
        if constexpr (Policy::reads_log_normalizer) {
            index_t const i = (b * H + h) * T + t;
            r.log_normalizer = attnlab::detail::log_normalizer<Policy>(reference[i], sum[i]);
        }
    }
};
template <class Policy>
struct output_forward {
    output_rows<Policy> rows;
    heads<float> y;
    template <class Warp>
    constexpr void operator()(Warp const& w, row_point<float>& r, index_t, index_t b, index_t h, index_t t) const {
        constexpr auto formula = Policy::output;
        rows.look(r, b, h, t);
        program_on<Policy>(w, formula).forward(r, y.row(b, h, t));
    }
};
template <class Policy>
struct output_backward {
    output_rows<Policy> rows;
    heads<float const> dy;
    heads<float> d_weighted, d_query;   ///< assigned; the second where the formula reads the query
    float* d_log_normalizer;            ///< (B, H, T)
    template <class Warp>
    constexpr void operator()(Warp const& w, row_point<float>& r, index_t, index_t b, index_t h, index_t t) const {
        constexpr auto formula = Policy::output;
        rows.look(r, b, h, t);
        r.d_source = d_weighted.row(b, h, t), r.d_query = d_query.row(b, h, t);
        clear_row(w, r.d_source, rows.D);
        if constexpr (Policy::output_reads_query) clear_row(w, r.d_query, rows.D);
        w.sync();
        program_on<Policy>(w, formula).backward(r, dy.row(b, h, t));
        Warp::once([&] { d_log_normalizer[(b * rows.H + h) * rows.T + t] = r.d_log_normalizer; });
    }
};

/// A slot's share of each row, (B, H, T).
template <class Policy>
struct slot_rows {
    output_rows<Policy> rows;
    float* share;
    template <class Warp>
    constexpr void operator()(Warp const&, row_point<float>& r, index_t, index_t b, index_t h, index_t t) const {
        rows.look(r, b, h, t);
        float const x = slot_share<row_lanes<Warp>, Policy>(r);
        Warp::once([&] { share[(b * rows.H + h) * rows.T + t] = x; });
    }
};

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
