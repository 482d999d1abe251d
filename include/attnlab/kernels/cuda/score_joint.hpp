#pragma once
#include <array>
#include <type_traits>

#include <attnlab/kernels/cuda/score_table.hpp>

/// \file
/// A score joint where the scores are, in the fragments of a warp's tile: its formula's values, and by reverse-mode differentiation its gradients.
/// What belongs to the head, to a query or to a key is computed once for all the pairs that it serves.

namespace attnlab::gpu {

/// What belongs to the head: computed once, by the program of rows; adjoints are gathered lane by lane.
template <class G, class E>
struct head_part : score_leaf<G> {
    using number = typename G::number;
    static constexpr bool learns = !G::turned && expr::any_part<expr::passes_gradient, E>();

    explicit constexpr head_part(E const& e) : formula_(e) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const&) { value_ = number(program().forward(row)), adjoint_ = number(0.0f); }
    constexpr number at(score_element<G> const&) const { return value_; }
    constexpr void back(score_element<G>& x, [[maybe_unused]] number const& adjoint) {
        if constexpr (learns) adjoint_ += select(x.seen, adjoint, number(0.0f));
    }
    constexpr void end([[maybe_unused]] row_point<float>& row, score_element<G>&) {
        if constexpr (learns) {
            auto all = program();
            all.forward(row);
            all.backward(row, sum<typename G::warp>(adjoint_));
        }
    }

private:
    constexpr auto program() const { return expr::evaluator<row_lanes<typename G::warp>, typename G::policy, E>(formula_); }
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
    constexpr void back(score_element<G>& x, [[maybe_unused]] number const& adjoint) {
        if constexpr (learns) adjoint_[static_cast<std::size_t>(x.i / 2)] += select(x.seen, adjoint, number(0.0f));
    }
    constexpr void end([[maybe_unused]] row_point<float>& row, [[maybe_unused]] score_element<G>& x) {
        if constexpr (learns) {
            unrolled<2>([&](int half) {
                auto at_half = of_half(x, half);
                inner_.back(at_half, adjoint_[static_cast<std::size_t>(half)]);
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
    constexpr void back(score_element<G>& x, number const& adjoint) { inner_.back(x, adjoint); }
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
    constexpr void back(score_element<G>& x, number const& adjoint) {
        number const from = a.at(x);
        a.back(x, adjoint * Op::derivative(from, value(from)));
    }
    constexpr void leave(score_element<G>& x) { a.leave(x); }
    constexpr void end(row_point<float>& row, score_element<G>& x) { a.end(row, x); }

private:
    /// What every pair asks for need not be more exact than products of bfloat16.
    static constexpr number value(number const& x) {
        using one = elementary<G::warp::held>;
        constexpr bool may_round = G::rounded && belongs<A>() == of_pair;
        if constexpr (may_round && std::is_same_v<Op, expr::tanh_op>) return each(x, [](float e) { return one::rounded_tanh(e); });
        else if constexpr (may_round && std::is_same_v<Op, expr::log_op>) return each(x, [](float e) { return one::rounded_log(e); });
        else return Op::value(x);
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
    constexpr void back(score_element<G>& x, number const& adjoint) {
        number const left = a.at(x), right = b.at(x);
        auto const [da, db] = Op::pull(adjoint, left, right, Op::value(left, right));
        a.back(x, da), b.back(x, db);
    }
    constexpr void leave(score_element<G>& x) { a.leave(x), b.leave(x); }
    constexpr void end(row_point<float>& row, score_element<G>& x) { a.end(row, x), b.end(row, x); }
};

/// The joint of a policy, or of one without, whose scores stay as they are. Raw scores are products of a q that carries the scale.
template <class G>
class score_joint {
    using policy = typename G::policy;
    using number = typename G::number;
    using warp = typename G::warp;

public:
    constexpr score_joint() : root_(formula()) {}

    /// Before the tiles of head h of sequence b; the warp's rows begin at `first`. `tokens`: (B, H, T).
    constexpr void begin(tile_problem<policy> const& p, float const* tokens, index_t b, index_t h, index_t first) {
        if constexpr (policy::has_score) {
            p_ = &p, b_ = b, h_ = h, first_ = static_cast<int>(first);
            if constexpr (policy::has_tokens) tokens_ = tokens + (b * p.H + h) * p.T;
            with_row([&](row_point<float>& row) { root_.begin(row, element(0)); });
        }
    }
    /// On the way back: where gradients are added, of what the head learns (where rows are queries) and of the tokens' numbers (T).
    constexpr void gradients_go_to(typename G::gradients const& parameters, float* tokens) { parameters_ = parameters, d_tokens_ = tokens; }

    /// Before a tile whose columns begin at `first`; returns what the functions below ask for.
    constexpr score_element<G> enter(index_t first) {
        if constexpr (policy::has_score) {
            auto const x = element(static_cast<int>(first));
            root_.enter(x);
            return x;
        } else {
            return {};
        }
    }
    /// Element i of fragment n: what becomes of a raw score.
    constexpr number made(score_element<G>& x, int n, int i, number const& raw) const {
        x.n = n, x.i = i, x.raw = raw;
        return root_.at(x);
    }
    /// The gradient by the raw score that `made` was given last, from that by the made one.
    constexpr number back(score_element<G>& x, typename warp::flag const& seen, number const& adjoint) {
        x.seen = seen, x.d_raw = number(0.0f);
        root_.back(x, adjoint);
        if constexpr (policy::has_score) return select(seen, x.d_raw, number(0.0f));   // what is not seen may be no number
        else return x.d_raw;
    }
    /// After a tile on the way back.
    constexpr void leave(score_element<G>& x) { root_.leave(x); }
    /// After the last one: gradients that were gathered go where they belong.
    constexpr void end() {
        if constexpr (policy::has_score)
            with_row([&](row_point<float>& row) {
                auto x = element(0);
                row.gradients = parameters_.data();
                root_.end(row, x);
            });
    }

    /// All of a tile, on the way forward.
    template <class Fragments>
    constexpr void apply(Fragments& scores, index_t first) {
        auto x = enter(first);
        each_score(scores, [&](int n, int i, number& e) { e = made(x, n, i, e); });
    }

private:
    static constexpr auto formula() {
        constexpr auto f = policy::score;   // a copy: device code has no address of a static member
        return f;
    }
    constexpr score_element<G> element(int first_column) const {
        score_element<G> x;
        x.p = p_, x.b = b_, x.tokens = tokens_, x.parameters = parameters_, x.d_tokens = d_tokens_;
        x.row = warp::each_lane([&](int lane) { return first_ + row_of(lane, 0); });
        x.column = warp::each_lane([&](int lane) { return first_column + column_of(lane, 0); });
        x.apart = each(x.query() - x.key(), [](int d) { return static_cast<float>(d); });
        return x;
    }
    template <class Body>
    constexpr void with_row(Body body) const {
        auto const values = attnlab::detail::of_head<policy>(p_->parameters, p_->sizes(), h_);
        auto row = p_->template row<policy>(b_, h_, 0, values.data());
        body(row);
    }

    part_of<G, std::remove_const_t<decltype(formula())>, true> root_;
    tile_problem<policy> const* p_ = nullptr;
    index_t b_ = 0, h_ = 0;
    int first_ = 0;
    float const* tokens_ = nullptr;
    typename G::gradients parameters_{};
    float* d_tokens_ = nullptr;
};

}  // namespace attnlab::gpu
