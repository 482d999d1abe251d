#pragma once
#include <array>
#include <type_traits>

#include <attnlab/attention/functions.hpp>
#include <attnlab/attention/row_leaves.hpp>

/// \file
/// A joint's formula, executed on one row of one head: its value, and by reverse-mode differentiation its gradients. Rows are walked
/// in chunks of `Lanes`; numbers are computed once and gather their adjoint over the row. The same program runs on one double, on
/// a register of floats and on one GPU thread. Output, prologue and score joints all run here; a row is D, C or the keys of a query.

namespace attnlab {

namespace expr {

/// Whether a number passes a gradient on; whether it is the same for all rows of a head.
template <class E>
struct passes_gradient : std::bool_constant<requires { typename E::learned_tag; } || is_token_number<E>::value> {};
template <>
struct passes_gradient<symbol<log_normalizer_tag>> : std::true_type {};
template <class Table, class Bucket>
struct passes_gradient<looked_up<Table, Bucket>> : std::true_type {};
template <class A, class B>
struct passes_gradient<inner<A, B>> : std::true_type {};
template <class E>
struct varies_by_row : is_token_number<E> {};
template <class Tag>
struct varies_by_row<symbol<Tag>>
    : std::bool_constant<!std::is_same_v<Tag, scale_tag> && !std::is_same_v<Tag, head_size_tag> && !std::is_same_v<Tag, head_tag> && !std::is_same_v<Tag, heads_tag>> {};
template <class A, class B>
struct varies_by_row<inner<A, B>> : std::true_type {};

/// A number where a row is wanted.
template <class Lanes, class Policy, class E>
struct broadcast {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, E> e;
    S value{};
    row_sum<Lanes> adjoint{};

    explicit constexpr broadcast(E const& formula) : e(formula) {}
    constexpr void forward(row_point<S> const& r) {
        if (any_part<varies_by_row, E>() || r.head != head_) value = e.forward(r);
        head_ = r.head;
        adjoint = {};
    }
    template <class V, bool = false>
    constexpr V at(row_point<S> const&, index_t) const {
        return V(value);
    }
    template <class V>
    constexpr void back(row_point<S>&, index_t, [[maybe_unused]] V a) {
        if constexpr (any_part<passes_gradient, E>()) adjoint.add(a);
    }
    constexpr void finish(row_point<S>& r) {
        if constexpr (any_part<passes_gradient, E>()) e.backward(r, adjoint.total());
    }

private:
    index_t head_ = -1;   // parameters stay as they are for as long as a program lives: one pass
};

template <class Lanes, class Policy, class E>
using as_row = std::conditional_t<E::size == length::scalar, broadcast<Lanes, Policy, E>, evaluator<Lanes, Policy, E>>;

template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, constant> {
    using S = typename Lanes::scalar;
    S value;
    explicit constexpr evaluator(constant c) : value(static_cast<S>(c.value)) {}
    constexpr S forward(row_point<S> const&) const { return value; }
    constexpr void backward(row_point<S>&, S) const {}
};

template <class Lanes, class Policy, class Op, class A>
    requires(A::size == length::scalar)
struct evaluator<Lanes, Policy, unary<Op, A>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    S x{}, y{};
    explicit constexpr evaluator(unary<Op, A> const& e) : a(e.a) {}
    constexpr S forward(row_point<S> const& r) {
        x = a.forward(r);
        return y = Op::value(x);
    }
    constexpr void backward(row_point<S>& r, S adjoint) { a.backward(r, adjoint * Op::derivative(x, y)); }
};
template <class Lanes, class Policy, class Op, class A>
    requires(A::size != length::scalar)
struct evaluator<Lanes, Policy, unary<Op, A>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    explicit constexpr evaluator(unary<Op, A> const& e) : a(e.a) {}
    constexpr void forward(row_point<S> const& r) { a.forward(r); }
    template <class V, bool Again = false>
    constexpr V at(row_point<S> const& r, index_t i) {
        if constexpr (kept)
            if (r.keys <= most) {
                if constexpr (!Again) store<Lanes, V>(y_.data() + i, Op::value(a.template at<V>(r, i)));
                return load<Lanes, V>(y_.data() + i);
            }
        return Op::value(a.template at<V, Again>(r, i));
    }
    template <class V>
    constexpr void back(row_point<S>& r, index_t i, V adjoint) {
        V const y = at<V, true>(r, i), x = a.template at<V, true>(r, i);
        a.template back<V>(r, i, adjoint * Op::derivative(x, y));
    }
    constexpr void finish(row_point<S>& r) { a.finish(r); }

private:
    // Along the keys of a tile, what is costly is kept for the way back: `at<V, true>` asks for it again.
    static constexpr bool kept = A::size == length::keys && requires { Op::costly; } && !requires { Lanes::recomputes; };
    static constexpr index_t most = 64;
    std::array<S, kept ? most : 0> y_;
};

template <class Lanes, class Policy, class Op, class A, class B>
    requires(A::size == length::scalar && B::size == length::scalar)
struct evaluator<Lanes, Policy, binary<Op, A, B>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    evaluator<Lanes, Policy, B> b;
    S x{}, y{}, value{};
    explicit constexpr evaluator(binary<Op, A, B> const& e) : a(e.a), b(e.b) {}
    constexpr S forward(row_point<S> const& r) {
        x = a.forward(r);
        y = b.forward(r);
        return value = Op::value(x, y);
    }
    constexpr void backward(row_point<S>& r, S adjoint) {
        auto const [da, db] = Op::pull(adjoint, x, y, value);
        a.backward(r, da);
        b.backward(r, db);
    }
};
template <class Lanes, class Policy, class Op, class A, class B>
    requires(A::size != length::scalar || B::size != length::scalar)
struct evaluator<Lanes, Policy, binary<Op, A, B>> {
    using S = typename Lanes::scalar;
    as_row<Lanes, Policy, A> a;
    as_row<Lanes, Policy, B> b;
    explicit constexpr evaluator(binary<Op, A, B> const& e) : a(e.a), b(e.b) {}
    constexpr void forward(row_point<S> const& r) {
        a.forward(r);
        b.forward(r);
    }
    template <class V, bool Again = false>
    constexpr V at(row_point<S> const& r, index_t i) {
        return Op::value(a.template at<V, Again>(r, i), b.template at<V, Again>(r, i));
    }
    template <class V>
    constexpr void back(row_point<S>& r, index_t i, V adjoint) {
        V const x = a.template at<V, true>(r, i), y = b.template at<V, true>(r, i);
        auto const [da, db] = Op::pull(adjoint, x, y, Op::value(x, y));
        a.template back<V>(r, i, da);
        b.template back<V>(r, i, db);
    }
    constexpr void finish(row_point<S>& r) {
        a.finish(r);
        b.finish(r);
    }
};

template <class Lanes, class Policy, class A, class B>
struct evaluator<Lanes, Policy, inner<A, B>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    evaluator<Lanes, Policy, B> b;
    explicit constexpr evaluator(inner<A, B> const& e) : a(e.a), b(e.b) {}

    static constexpr index_t count(row_point<S> const& r) { return A::size == length::head ? r.head_size : r.width; }
    constexpr S forward(row_point<S> const& r) {
        a.forward(r);
        b.forward(r);
        row_sum<Lanes> sum;
        each_chunk<Lanes>(count(r), [&]<class V>(index_t i, V) { sum.add(a.template at<V>(r, i) * b.template at<V>(r, i)); });
        return sum.total();
    }
    constexpr void backward(row_point<S>& r, S adjoint) {
        each_chunk<Lanes>(count(r), [&]<class V>(index_t i, V) {
            V const x = a.template at<V, true>(r, i), y = b.template at<V, true>(r, i);
            a.template back<V>(r, i, V(adjoint) * y);
            b.template back<V>(r, i, V(adjoint) * x);
        });
        a.finish(r);
        b.finish(r);
    }
};

}  // namespace expr

/// A formula of `Policy` as a program on rows: y = formula(row), and its gradients given dy.
template <class Lanes, class Policy, class Formula>
class row_program {
    using S = typename Lanes::scalar;

public:
    explicit constexpr row_program(Formula const& f) : root_(f) {}

    /// y of the row: D numbers, or one for each key. Of keys, y must not overlap what is read.
    constexpr void forward(row_point<S> const& r, S* y) {
        root_.forward(r);
        each_chunk(r, [&]<class V>(index_t i, V, index_t) { expr::store<Lanes, V>(y + i, root_.template at<V>(r, i)); });
    }
    /// Adds d(y . dy) to every gradient of the row.
    constexpr void backward(row_point<S>& r, S const* dy) {
        root_.forward(r);
        if constexpr (of_keys)   // what is kept for the way back is kept now
            each_chunk(r, [&]<class V>(index_t i, V, index_t) { root_.template at<V>(r, i); });
        backward_after_forward(r, dy);
    }
    /// The same, right after `forward` on that row.
    constexpr void backward_after_forward(row_point<S>& r, S const* dy) {
        each_chunk(r, [&]<class V>(index_t i, V, index_t done) {
            V adjoint = expr::load<Lanes, V>(dy + i);
            if constexpr (!std::is_same_v<V, S>)
                if (done > 0) adjoint = Lanes::from(done, adjoint);
            root_.template back<V>(r, i, adjoint);
        });
        root_.finish(r);
    }

private:
    static constexpr bool of_keys = Formula::size == expr::length::keys;

    /// `body(i, V{}, done)` along the row. The last keys are walked in a pack that begins before them, `done` keys a second time:
    /// one by one they would cost more than all others of a tile on the diagonal.
    template <class Body>
    static constexpr void each_chunk(row_point<S> const& r, Body body) {
        index_t const n = of_keys ? r.keys : r.head_size, rest = n % Lanes::width;
        if (of_keys && rest > 0 && n > Lanes::width) {
            expr::each_chunk<Lanes>(n - rest, [&]<class V>(index_t i, V v) { body(i, v, 0); });
            body(n - Lanes::width, typename Lanes::pack{}, Lanes::width - rest);
        } else {
            expr::each_chunk<Lanes>(n, [&]<class V>(index_t i, V v) { body(i, v, 0); });
        }
    }

    expr::as_row<Lanes, Policy, Formula> root_;
};

/// The program of a formula that is a static member of `Policy`.
template <class Lanes, class Policy, class Formula>
constexpr row_program<Lanes, Policy, Formula> program_of(Formula const& f) {
    return row_program<Lanes, Policy, Formula>(f);
}

/// `Policy`'s slot share of a row; 0 without a slot.
template <class Lanes, class Policy>
constexpr auto slot_share(row_point<typename Lanes::scalar> const& r) {
    if constexpr (Policy::has_slot) {
        constexpr auto formula = Policy::slot();
        return expr::evaluator<Lanes, Policy, std::remove_const_t<decltype(formula)>>(formula).forward(r);
    } else {
        return typename Lanes::scalar(0);
    }
}

}  // namespace attnlab
