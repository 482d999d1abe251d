#pragma once
#include <array>
#include <type_traits>

#include <attnlab/kernels/cuda/score_leaves.hpp>

/// \file
/// The formula of a score joint (attention/expression.hpp) on pairs in lanes: its values, and by reverse-mode differentiation its gradients. What
/// belongs to the head, to a query or to a key is computed once for all the pairs that it serves.

namespace attnlab::gpu {

/// What belongs to the head: computed once, by the program of rows; adjoints are gathered lane by lane.
template <class G, class E>
struct head_part : score_leaf<G> {
    using number = typename G::number;
    static constexpr bool learns = !G::turned && expr::any_part<expr::passes_gradient, E>();

    explicit constexpr head_part(E const& e) : formula_(e) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const&) { value_ = number(program().forward(row)), adjoint_ = number(0.0f); }
    constexpr number at(score_element<G> const&) const { return value_; }
    constexpr void back([[maybe_unused]] score_element<G>& x, [[maybe_unused]] number const& adjoint, [[maybe_unused]] double by) {
        if constexpr (learns) adjoint_ += seen_adjoint(x, adjoint, by);
    }
    constexpr void end([[maybe_unused]] row_point<float>& row, score_element<G>&) {
        if constexpr (learns) {
            auto all = program();
            all.forward(row);
            all.backward(row, sum<typename G::warp>(adjoint_));
        }
    }

private:
    constexpr auto program() const { return expr::evaluator<row_lanes<typename G::warp, 1>, typename G::policy, E>(formula_); }
    E formula_;
    number value_, adjoint_;
};

/// What belongs to a row: a lane has two of them.
template <class G, class E>
struct row_part : score_leaf<G> {
    using number = typename G::number;
    static constexpr bool learns = expr::any_part<expr::passes_gradient, E>();

    explicit constexpr row_part(E const& e) : inner_(e) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const& x) {
        inner_.begin(row, x);
        unrolled<2>([&](int half) {
            value_[static_cast<std::size_t>(half)] = inner_.at(of_half(x, half));
            adjoint_[static_cast<std::size_t>(half)] = number(0.0f);
        });
    }
    constexpr number at(score_element<G> const& x) const { return value_[static_cast<std::size_t>(x.i / 2)]; }
    constexpr void back([[maybe_unused]] score_element<G>& x, [[maybe_unused]] number const& adjoint, [[maybe_unused]] double by) {
        if constexpr (learns) adjoint_[static_cast<std::size_t>(x.i / 2)] += seen_adjoint(x, adjoint, by);
    }
    constexpr void end([[maybe_unused]] row_point<float>& row, [[maybe_unused]] score_element<G>& x) {
        if constexpr (learns) {
            unrolled<2>([&](int half) {
                auto at_half = of_half(x, half);
                inner_.back(at_half, adjoint_[static_cast<std::size_t>(half)], 1);
            });
            inner_.end(row, x);
        }
    }

private:
    /// Rows beyond the last are none, and pass nothing on.
    static constexpr score_element<G> of_half(score_element<G> x, int half) {
        x.n = 0, x.i = 2 * half;
        x.seen = each(x.row, [&](int r) { return r + 8 * half < x.p->T; });
        return x;
    }
    score_part<G, E, false> inner_;
    std::array<number, 2> value_, adjoint_;
};

/// What belongs to a column: computed once for a tile, a lane one of 32.
template <class G, class E>
struct column_part : score_leaf<G> {
    using number = typename G::number;
    using warp = typename G::warp;
    static constexpr int held = G::columns / warp_size;

    explicit constexpr column_part(E const& e) : inner_(e) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const& x) { inner_.begin(row, x); }
    constexpr void enter(score_element<G> const& x) {
        unrolled<held>([&](int h) {
            auto at_column = x;
            at_column.n = at_column.i = 0;
            at_column.column = x.column + warp::each_lane([&](int lane) { return warp_size * h + lane - column_of(lane, 0); });
            value_[static_cast<std::size_t>(h)] = inner_.at(at_column);
        });
    }
    constexpr number at(score_element<G> const& x) const {
        return warp::from_lanes(value_[static_cast<std::size_t>(x.n / 4)], warp::each_lane([&](int lane) { return 8 * (x.n % 4) + column_of(lane, x.i); }));
    }
    constexpr void back(score_element<G>& x, number const& adjoint, double by) { inner_.back(x, adjoint, by); }
    constexpr void end(row_point<float>& row, score_element<G>& x) { inner_.end(row, x); }

private:
    score_part<G, E, false> inner_;
    std::array<number, held> value_;
};

template <class G, class E, bool Kept>
consteval auto which_part() {
    constexpr int to = belongs<E>();
    if constexpr (std::is_same_v<E, expr::constant>) return std::type_identity<score_part<G, E, Kept>>{};
    else if constexpr (to == of_head) return std::type_identity<head_part<G, E>>{};
    else if constexpr (Kept && to == G::of_row) return std::type_identity<row_part<G, E>>{};
    else if constexpr (Kept && to == G::of_column) return std::type_identity<column_part<G, E>>{};
    else return std::type_identity<score_part<G, E, Kept>>{};
}
template <class G, class E, bool Kept>
using part_of = typename decltype(which_part<G, E, Kept>())::type;

template <class G, class Op, class A, bool Kept>
struct score_part<G, expr::unary<Op, A>, Kept> {
    using number = typename G::number;
    part_of<G, A, Kept> a;

    explicit constexpr score_part(expr::unary<Op, A> const& e) : a(e.a) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const& x) { a.begin(row, x); }
    constexpr void enter(score_element<G> const& x) { a.enter(x); }
    constexpr number at(score_element<G> const& x) const { return value(a.at(x)); }
    constexpr void back(score_element<G>& x, number const& adjoint, double by) {
        number const from = a.at(x);
        a.back(x, adjoint * derivative(from, value(from)), by);
    }
    constexpr void leave(score_element<G>& x) { a.leave(x); }
    constexpr void end(row_point<float>& row, score_element<G>& x) { a.end(row, x); }

private:
    // Beside products of bfloat16 nothing here need be more exact than an instruction is.
    using one = elementary<G::warp::held>;
    static constexpr bool rounded_tanh = G::rounded && belongs<A>() == of_pair && std::is_same_v<Op, expr::tanh_op>, rounded_log = G::rounded && std::is_same_v<Op, expr::log_op>;

    static constexpr number value(number const& x) {
        if constexpr (rounded_tanh) return each(x, [](float e) { return one::rounded_tanh(e); });
        else return Op::value(x);
    }
    static constexpr number derivative(number const& x, number const& y) {
        if constexpr (rounded_log) return each(x, [](float e) { return one::inverse(e); });
        else return Op::derivative(x, y);
    }
};
template <class G, class Op, class A, class B, bool Kept>
struct score_part<G, expr::binary<Op, A, B>, Kept> {
    using number = typename G::number;
    part_of<G, A, Kept> a;
    part_of<G, B, Kept> b;

    explicit constexpr score_part(expr::binary<Op, A, B> const& e) : a(e.a), b(e.b) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const& x) { a.begin(row, x), b.begin(row, x); }
    constexpr void enter(score_element<G> const& x) { a.enter(x), b.enter(x); }
    constexpr number at(score_element<G> const& x) const { return Op::value(a.at(x), b.at(x)); }
    constexpr void back(score_element<G>& x, number const& adjoint, double by) {
        constexpr bool multiplies = std::is_same_v<Op, expr::multiply_op>;
        if constexpr (multiplies && std::is_same_v<A, expr::constant>) {
            b.back(x, adjoint, by * a.value);
        } else if constexpr (multiplies && std::is_same_v<B, expr::constant>) {
            a.back(x, adjoint, by * b.value);
        } else {
            number const left = a.at(x), right = b.at(x);
            auto const [da, db] = Op::pull(adjoint, left, right, Op::value(left, right));
            a.back(x, da, by), b.back(x, db, by);
        }
    }
    constexpr void leave(score_element<G>& x) { a.leave(x), b.leave(x); }
    constexpr void end(row_point<float>& row, score_element<G>& x) { a.end(row, x), b.end(row, x); }
};

}  // namespace attnlab::gpu
