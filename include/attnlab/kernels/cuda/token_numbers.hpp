#pragma once
#include <array>
#include <type_traits>
#include <utility>

#include <attnlab/attention/per_token.hpp>
#include <attnlab/attention/row_point.hpp>
#include <attnlab/kernels/cuda/row_lanes.hpp>
#include <attnlab/kernels/cuda/token_joints.hpp>
#include <attnlab/kernels/cuda/token_rows.hpp>

/// \file
/// Numbers of tokens (attention/per_token.hpp) and their sums along the sequence, in double: a block has a head of a sequence, each lane some adjacent tokens. What a formula of scalars and
/// of products of x makes of a token, a lane makes there; other formulas read rows and have kernels of their own (token_joints.hpp).

namespace attnlab::gpu {

/// A lane that is a token's, for which products of x are there (row_lanes.hpp).
struct token_lane : one_lane<float> {
    using group = token_lane;
};

template <class Policy, class E>
consteval bool is_of_numbers() {
    if constexpr (expr::is_input_product<E>::value) {
        return Policy::has_input_products;
    } else if constexpr (requires(E e) { e.a; }) {
        bool all = is_of_numbers<Policy, std::remove_cvref_t<decltype(E::a)>>();
        if constexpr (requires(E e) { e.b; }) all = all && is_of_numbers<Policy, std::remove_cvref_t<decltype(E::b)>>();
        return all;
    } else {
        return E::size == expr::length::scalar;
    }
}
template <class Policy>
using token_formula_of = std::remove_const_t<decltype(Policy::tokens.a)>;
template <class Policy>
inline constexpr bool makes_numbers_in_lanes = is_of_numbers<Policy, token_formula_of<Policy>>();

/// A policy's formula of a token.
template <class Policy>
struct formula_of_tokens {
    tile_problem<Policy> p;
    input_products<Policy> products;

    /// `body(row, number)`; gradients of parameters are added to.
    template <class Body>
    constexpr void with(index_t b, index_t h, index_t t, float* const* gradients, Body body) const {
        auto const values = attnlab::detail::of_head<Policy>(p.parameters, p.sizes(), h);
        row_point<float> row = p.template row<Policy>(b, h, t, values.data());
        row.heads = p.H, row.head_size = p.D;
        typename input_products<Policy>::of_row own;
        products.look(row, own, b * p.T + t, h);
        row.gradients = gradients;
        constexpr auto formula = Policy::tokens.a;
        expr::evaluator<token_lane, Policy, token_formula_of<Policy>> number(formula);
        body(row, number);
    }
};
/// Those that the formula makes, summed, to `to` (B, H, T).
template <class Policy>
struct numbers_of_formula {
    static constexpr bool from_end = false, gathers = false;
    formula_of_tokens<Policy> formula;
    float* to;
    constexpr float get(index_t b, index_t h, index_t t) const {
        float x = 0;
        formula.with(b, h, t, nullptr, [&](auto& row, auto& number) { x = number.forward(row); });
        return x;
    }
    constexpr void put(index_t b, index_t h, index_t t, float x, float* const*) const { to[(b * formula.p.H + h) * formula.p.T + t] = x; }
};
/// Back: their adjoints at the query and at the key, (B, H, T) both, summed from the end, through the formula.
template <class Policy>
struct adjoints_of_formula {
    static constexpr bool from_end = true, gathers = true;
    formula_of_tokens<Policy> formula;
    float const *by_query, *by_key;
    gradient_copies<Policy> copies;   ///< one for each of B
    constexpr float get(index_t b, index_t h, index_t t) const {
        index_t const i = (b * formula.p.H + h) * formula.p.T + t;
        return by_query[i] + by_key[i];
    }
    constexpr void put(index_t b, index_t h, index_t t, float x, float* const* gradients) const {
        formula.with(b, h, t, gradients, [&](auto& row, auto& number) { number.forward(row), number.backward(row, x); });
    }
};
/// In memory, (B, H, T): x, or x + more.
template <bool FromEnd>
struct numbers_in_memory {
    static constexpr bool from_end = FromEnd, gathers = false;
    float* x;
    float const* more;
    index_t H, T;
    constexpr float get(index_t b, index_t h, index_t t) const {
        index_t const i = (b * H + h) * T + t;
        return more ? x[i] + more[i] : x[i];
    }
    constexpr void put(index_t b, index_t h, index_t t, float sum, float* const*) const { x[(b * H + h) * T + t] = sum; }
};

/// Block `row` puts what it got of a head of a sequence, or, where the policy scans, the sums of it along the sequence.
template <class Policy, class Numbers>
struct token_scan {
    static constexpr int warps = 16, of_lane = 4, step = warps * warp_size * of_lane;
    static constexpr bool scan = Policy::tokens.scan;
    static constexpr std::size_t room = Policy::parameter_count + 1;
    Numbers numbers;
    index_t H, T;

    constexpr index_t shared_bytes() const { return warps * static_cast<index_t>(sizeof(double) + room * sizeof(float)); }
    template <class Block>
    constexpr void operator()(Block& block, index_t row) const {
        using warp = typename Block::warp;
        using doubles = typename warp::template lanes<double>;
        struct state {
            doubles own[of_lane], below;   // sums of what a lane has, one number more each; of the lanes below
            double before;                 // of the tokens before
            typename warp::number gathered[room];
        };
        index_t const b = row / H, h = row % H;
        auto const totals = block.template shared<double>(warps);
        auto const parts = block.template shared<float>(warps * static_cast<index_t>(room));
        typename Block::template per_warp<state> states(block);
        block.each_warp([&](warp const& w) {
            states[w].before = 0;
            for (auto& g : states[w].gathered) g = typename warp::number(0.0f);
        });
        for (index_t first = 0; first < T; first += step) {
            auto const turn = [&](warp const& w, int lane, int k) { return first + of_lane * (warp_size * w.index() + lane) + k; };
            auto const place = [&](index_t t) { return Numbers::from_end ? T - 1 - t : t; };
            block.each_warp([&](warp const& w) {
                state& s = states[w];
                unrolled<of_lane>([&](int k) {
                    s.own[k] = warp::each_lane([&](int lane) {
                        index_t const t = turn(w, lane, k);
                        return t < T ? static_cast<double>(numbers.get(b, h, place(t))) : 0.0;
                    });
                    if (scan && k > 0) s.own[k] += s.own[k - 1];
                });
                if constexpr (scan) {
                    auto sums = s.own[of_lane - 1];
                    unrolled<5>([&](int i) { sums = sums + warp::shifted(sums, 1 << i); });
                    s.below = warp::shifted(sums, 1);
                    double* const mine = totals.writes(w, w.index(), 1);
                    double const all = warp::of_lane(sums, warp_size - 1);
                    warp::once([&] { *mine = all; });
                }
            });
            block.each_warp([&](warp const& w) {
                state& s = states[w];
                double before = 0, all = 0;
                if constexpr (scan)
                    for (int k = 0; k < warps; ++k) {
                        if (k == w.index()) before = s.before + all;
                        all += totals.one(w, k);
                    }
                unrolled<of_lane>([&](int k) {
                    warp::visit([&](int lane, int l) {
                        index_t const t = turn(w, lane, k);
                        if (t >= T) return;
                        std::array<float*, room> gradients{};
                        for (std::size_t i = 0; i < room; ++i) gradients[i] = &s.gathered[i].v[l];
                        double const sum = scan ? before + s.below.v[l] + s.own[k].v[l] : s.own[k].v[l];
                        numbers.put(b, h, place(t), static_cast<float>(sum), gradients.data());
                    });
                });
                s.before += all;
            });
        }
        if constexpr (Numbers::gathers) {
            block.each_warp([&](warp const& w) {
                each_gathered<Policy, token_formula_of<Policy>>([&](auto, std::size_t k) {
                    float const total = sum<warp>(states[w].gathered[k]);
                    float* const mine = parts.writes(w, static_cast<index_t>(k) * warps + w.index(), 1);
                    warp::once([&] { *mine = total; });
                });
            });
            block.each_warp([&](warp const& w) {
                if (w.index() != 0) return;
                auto const to = numbers.copies.at(h, b);
                each_gathered<Policy, token_formula_of<Policy>>([&](auto, std::size_t k) {
                    float total = 0;
                    for (int i = 0; i < warps; ++i) total += parts.one(w, static_cast<index_t>(k) * warps + i);
                    warp::once([&] { *to[k] = total; });
                });
            });
        }
    }
};
template <class Policy, class Device, class Numbers>
void scan_tokens(Device device, attention_problem<float> const& p, Numbers const& numbers) {
    launch(device, token_scan<Policy, Numbers>{numbers, p.H, p.T}, p.B * p.H);
}

/// The numbers of all tokens, into `saved`.
template <class Policy, class Device>
void make_token_numbers(Device device, attention_problem<float> const& p, attention_saved<float>& saved) {
    float* const to = saved.tokens.data();
    if constexpr (makes_numbers_in_lanes<Policy>) {
        scan_tokens<Policy>(device, p, numbers_of_formula<Policy>{{portable<Policy>(p), products_of<Policy>(p, saved)}, to});
    } else {
        each_token<Policy>(device, p, saved, of_heads{p.H, numbers_forward<Policy>{to, p.H, p.T}});
        if constexpr (Policy::tokens.scan) scan_tokens<Policy>(device, p, numbers_in_memory<false>{to, nullptr, p.H, p.T});
    }
}
/// From their adjoints at the query and at the key, (B, H, T), gradients of what the formula reads; the first is overwritten.
template <class Policy, class Device>
void back_through_token_numbers(Device device, attention_problem<float> const& p, attention_saved<float> const& saved, input_products<Policy> const& products,
                                attention_gradients<float> const& gradients, float* by_query, float const* by_key) {
    if constexpr (makes_numbers_in_lanes<Policy>) {
        auto const copies = room_for_copies<Policy, token_formula_of<Policy>>(device, p.sizes(), p.B);
        scan_tokens<Policy>(device, p, adjoints_of_formula<Policy>{{portable<Policy>(p), products}, by_query, by_key, copies});
        take_gradients<Policy>(device, copies, p.sizes(), gradients.parameters);
    } else {
        scan_tokens<Policy>(device, p, numbers_in_memory<true>{by_query, by_key, p.H, p.T});
        each_token_back<Policy>(device, p, saved, products, gradients, of_heads{p.H, numbers_backward<Policy>{by_query, p.H, p.T}});
    }
}

}  // namespace attnlab::gpu
