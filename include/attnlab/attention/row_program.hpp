#pragma once
#include <array>
#include <type_traits>

#include <attnlab/attention/functions.hpp>
#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/symbols.hpp>

/// \file
/// An output joint, executed on one row of one head: its value, and by reverse-mode differentiation its gradients. Rows are walked
/// in chunks of `Lanes`; numbers are computed once and gather their adjoint over the row. The same program runs on one double, on
/// a register of floats and on one GPU thread.

namespace attnlab {

/// Lanes of one number. A SIMD register offers the same members.
template <class S>
struct one_lane {
    using scalar = S;
    using pack = S;
    static constexpr index_t width = 1;
    static S load(S const* p) { return *p; }
    static void store(S* p, S x) { *p = x; }
    static S sum(S x) { return x; }
};

/// The row at hand: what its symbols stand for and where their gradients go. Gradients are added to.
template <class S>
struct row_point {
    S const* output = nullptr;
    S const* query = nullptr;
    S const* input = nullptr;
    S log_normalizer = 0, scale = 1;
    S* d_output = nullptr;
    S* d_query = nullptr;
    S* d_input = nullptr;
    S d_log_normalizer = 0;
    S const* const* values = nullptr;   ///< per parameter: what belongs to this head
    S* const* gradients = nullptr;
    index_t head_size = 0, width = 0;     ///< D, C
};

namespace expr {

/// Reads and writes a chunk: a full pack, or one number at the row's tail.
template <class Lanes, class V>
V load(typename Lanes::scalar const* p) {
    if constexpr (std::is_same_v<V, typename Lanes::scalar>)
        return *p;
    else
        return Lanes::load(p);
}
template <class Lanes, class V>
void add_to(typename Lanes::scalar* p, V x) {
    if constexpr (std::is_same_v<V, typename Lanes::scalar>)
        *p += x;
    else
        Lanes::store(p, Lanes::load(p) + x);
}

/// Calls `body(i, V{})` over 0 .. n in packs, then in single numbers.
template <class Lanes, class Body>
void each_chunk(index_t n, Body body) {
    index_t i = 0;
    if constexpr (Lanes::width > 1)
        for (; i + Lanes::width <= n; i += Lanes::width) body(i, typename Lanes::pack{});
    for (; i < n; ++i) body(i, typename Lanes::scalar{});
}

/// A sum over a row, kept in lanes until it is read.
template <class Lanes>
class row_sum {
    using S = typename Lanes::scalar;
    using V = typename Lanes::pack;

public:
    void add(V x) { lanes_ = lanes_ + x; }
    void add(S x)
        requires(!std::is_same_v<S, V>)
    {
        rest_ += x;
    }
    S total() const { return Lanes::sum(lanes_) + rest_; }

private:
    V lanes_ = V(S(0));
    S rest_ = 0;
};

/// Executes E on rows. Numbers offer forward(row) -> value and backward(row, adjoint); rows offer forward(row) to prepare the
/// numbers inside, at(row, i), back(row, i, adjoint), and finish(row) to pass gathered adjoints on.
template <class Lanes, class Policy, class E>
struct evaluator;

/// A number where a row is wanted.
template <class Lanes, class Policy, class E>
struct broadcast {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, E> e;
    S value{};
    row_sum<Lanes> adjoint{};

    explicit broadcast(E const& formula) : e(formula) {}
    void forward(row_point<S> const& r) {
        value = e.forward(r);
        adjoint = {};
    }
    template <class V>
    V at(row_point<S> const&, index_t) const {
        return V(value);
    }
    template <class V>
    void back(row_point<S>&, index_t, V a) {
        if constexpr (!std::is_same_v<E, constant>) adjoint.add(a);
    }
    void finish(row_point<S>& r) {
        if constexpr (!std::is_same_v<E, constant>) e.backward(r, adjoint.total());
    }
};

template <class Lanes, class Policy, class E>
using as_row = std::conditional_t<E::size == length::scalar, broadcast<Lanes, Policy, E>, evaluator<Lanes, Policy, E>>;

template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, constant> {
    using S = typename Lanes::scalar;
    S value;
    explicit evaluator(constant c) : value(static_cast<S>(c.value)) {}
    S forward(row_point<S> const&) const { return value; }
    void backward(row_point<S>&, S) const {}
};

/// A number of the row.
template <class Lanes, class Policy, class Tag>
struct evaluator<Lanes, Policy, symbol<Tag, length::scalar>> {
    using S = typename Lanes::scalar;
    explicit evaluator(symbol<Tag, length::scalar>) {}
    S forward(row_point<S> const& r) const {
        if constexpr (std::is_same_v<Tag, scale_tag>)
            return r.scale;
        else {
            static_assert(std::is_same_v<Tag, log_normalizer_tag>, "output: this symbol does not belong in an output joint");
            return r.log_normalizer;
        }
    }
    void backward(row_point<S>& r, S adjoint) const {
        if constexpr (std::is_same_v<Tag, log_normalizer_tag>) r.d_log_normalizer += adjoint;
    }
};

/// A row in memory, and its gradient.
template <class Lanes, class Derived>
struct memory_row {
    using S = typename Lanes::scalar;
    void forward(row_point<S> const&) const {}
    template <class V>
    V at(row_point<S> const& r, index_t i) const {
        return load<Lanes, V>(Derived::value(r) + i);
    }
    template <class V>
    void back(row_point<S>& r, index_t i, V adjoint) const {
        add_to<Lanes>(Derived::gradient(r) + i, adjoint);
    }
    void finish(row_point<S>&) const {}
};
template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, symbol<output_tag, length::head>>
    : memory_row<Lanes, evaluator<Lanes, Policy, symbol<output_tag, length::head>>> {
    using S = typename Lanes::scalar;
    explicit evaluator(symbol<output_tag, length::head>) {}
    static S const* value(row_point<S> const& r) { return r.output; }
    static S* gradient(row_point<S>& r) { return r.d_output; }
};
template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, symbol<query_tag, length::head>>
    : memory_row<Lanes, evaluator<Lanes, Policy, symbol<query_tag, length::head>>> {
    using S = typename Lanes::scalar;
    explicit evaluator(symbol<query_tag, length::head>) {}
    static S const* value(row_point<S> const& r) { return r.query; }
    static S* gradient(row_point<S>& r) { return r.d_query; }
};
template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, symbol<input_tag, length::model>>
    : memory_row<Lanes, evaluator<Lanes, Policy, symbol<input_tag, length::model>>> {
    using S = typename Lanes::scalar;
    explicit evaluator(symbol<input_tag, length::model>) {}
    static S const* value(row_point<S> const& r) { return r.input; }
    static S* gradient(row_point<S>& r) { return r.d_input; }
};

/// A parameter: a row, or a number, of this head.
template <class Lanes, class Policy, class E>
    requires(requires { E::name; } && E::size != length::scalar)
struct evaluator<Lanes, Policy, E> : memory_row<Lanes, evaluator<Lanes, Policy, E>> {
    using S = typename Lanes::scalar;
    static constexpr std::size_t position = Policy::position_of(E::name);
    explicit evaluator(E const&) {}
    static S const* value(row_point<S> const& r) { return r.values[position]; }
    static S* gradient(row_point<S>& r) { return r.gradients[position]; }
};
template <class Lanes, class Policy, class E>
    requires(requires { E::name; } && E::size == length::scalar)
struct evaluator<Lanes, Policy, E> {
    using S = typename Lanes::scalar;
    static constexpr std::size_t position = Policy::position_of(E::name);
    explicit evaluator(E const&) {}
    S forward(row_point<S> const& r) const { return *r.values[position]; }
    void backward(row_point<S>& r, S adjoint) const { *r.gradients[position] += adjoint; }
};

template <class Lanes, class Policy, class Op, class A>
    requires(A::size == length::scalar)
struct evaluator<Lanes, Policy, unary<Op, A>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    S x{}, y{};
    explicit evaluator(unary<Op, A> const& e) : a(e.a) {}
    S forward(row_point<S> const& r) {
        x = a.forward(r);
        return y = Op::value(x);
    }
    void backward(row_point<S>& r, S adjoint) { a.backward(r, adjoint * Op::derivative(x, y)); }
};
template <class Lanes, class Policy, class Op, class A>
    requires(A::size != length::scalar)
struct evaluator<Lanes, Policy, unary<Op, A>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    explicit evaluator(unary<Op, A> const& e) : a(e.a) {}
    void forward(row_point<S> const& r) { a.forward(r); }
    template <class V>
    V at(row_point<S> const& r, index_t i) const {
        return Op::value(a.template at<V>(r, i));
    }
    template <class V>
    void back(row_point<S>& r, index_t i, V adjoint) {
        V const x = a.template at<V>(r, i);
        a.template back<V>(r, i, adjoint * Op::derivative(x, Op::value(x)));
    }
    void finish(row_point<S>& r) { a.finish(r); }
};

template <class Lanes, class Policy, class Op, class A, class B>
    requires(A::size == length::scalar && B::size == length::scalar)
struct evaluator<Lanes, Policy, binary<Op, A, B>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    evaluator<Lanes, Policy, B> b;
    S x{}, y{}, value{};
    explicit evaluator(binary<Op, A, B> const& e) : a(e.a), b(e.b) {}
    S forward(row_point<S> const& r) {
        x = a.forward(r);
        y = b.forward(r);
        return value = Op::value(x, y);
    }
    void backward(row_point<S>& r, S adjoint) {
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
    explicit evaluator(binary<Op, A, B> const& e) : a(e.a), b(e.b) {}
    void forward(row_point<S> const& r) {
        a.forward(r);
        b.forward(r);
    }
    template <class V>
    V at(row_point<S> const& r, index_t i) const {
        return Op::value(a.template at<V>(r, i), b.template at<V>(r, i));
    }
    template <class V>
    void back(row_point<S>& r, index_t i, V adjoint) {
        V const x = a.template at<V>(r, i), y = b.template at<V>(r, i);
        auto const [da, db] = Op::pull(adjoint, x, y, Op::value(x, y));
        a.template back<V>(r, i, da);
        b.template back<V>(r, i, db);
    }
    void finish(row_point<S>& r) {
        a.finish(r);
        b.finish(r);
    }
};

template <class Lanes, class Policy, class A, class B>
struct evaluator<Lanes, Policy, inner<A, B>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    evaluator<Lanes, Policy, B> b;
    explicit evaluator(inner<A, B> const& e) : a(e.a), b(e.b) {}

    static index_t count(row_point<S> const& r) { return A::size == length::head ? r.head_size : r.width; }
    S forward(row_point<S> const& r) {
        a.forward(r);
        b.forward(r);
        row_sum<Lanes> sum;
        each_chunk<Lanes>(count(r), [&]<class V>(index_t i, V) { sum.add(a.template at<V>(r, i) * b.template at<V>(r, i)); });
        return sum.total();
    }
    void backward(row_point<S>& r, S adjoint) {
        each_chunk<Lanes>(count(r), [&]<class V>(index_t i, V) {
            V const x = a.template at<V>(r, i), y = b.template at<V>(r, i);
            a.template back<V>(r, i, V(adjoint) * y);
            b.template back<V>(r, i, V(adjoint) * x);
        });
        a.finish(r);
        b.finish(r);
    }
};

}  // namespace expr

/// `Policy`'s output joint as a program: y = output(row), and its gradients given dy.
template <class Lanes, class Policy>
class row_program {
    using S = typename Lanes::scalar;

public:
    /// y (D) of the row.
    void forward(row_point<S> const& r, S* y) {
        root_.forward(r);
        expr::each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) {
            V const value = root_.template at<V>(r, i);
            if constexpr (std::is_same_v<V, S>)
                y[i] = value;
            else
                Lanes::store(y + i, value);
        });
    }
    /// Adds d(y . dy) to every gradient of the row.
    void backward(row_point<S>& r, S const* dy) {
        root_.forward(r);
        expr::each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) { root_.template back<V>(r, i, expr::load<Lanes, V>(dy + i)); });
        root_.finish(r);
    }

private:
    expr::as_row<Lanes, Policy, std::remove_const_t<decltype(Policy::output)>> root_{Policy::output};
};

/// `Policy`'s slot share as a program; 0 without a slot.
template <class Lanes, class Policy>
auto slot_share(row_point<typename Lanes::scalar> const& r) {
    if constexpr (Policy::has_slot) {
        constexpr auto formula = Policy::slot();
        return expr::evaluator<Lanes, Policy, std::remove_const_t<decltype(formula)>>(formula).forward(r);
    } else {
        return typename Lanes::scalar(0);
    }
}

}  // namespace attnlab
