#pragma once
#include <cmath>
#include <concepts>
#include <type_traits>
#include <utility>

/// \file
/// The language of joints. A joint is an ordinary function whose arguments are symbols; calling it once builds its formula as a
/// type, and everything else (values, derivatives, whether one pass is enough) is read off that type. Nothing is evaluated here.

namespace attnlab::expr {

/// How long a value is: one number, a row of D (head), a row of C (model), or one number for each key of a query's row (keys).
enum class length { scalar, head, model, keys };

/// Everything that can stand in a formula carries this mark.
template <class E>
concept expression = requires { typename std::remove_cvref_t<E>::expression_tag; };

template <class E>
inline constexpr length length_of = std::remove_cvref_t<E>::size;

/// A number written in a formula.
struct constant {
    using expression_tag = void;
    static constexpr length size = length::scalar;
    double value;
};

/// A quantity that the kernel supplies: the score, the row sum, the query, ...
template <class Tag, length Length = length::scalar>
struct symbol {
    using expression_tag = void;
    using tag = Tag;
    static constexpr length size = Length;
    // std::exp(s) is one line about a deleted function instead of every overload of the C library; here and below.
    operator double() const = delete;
};

/// f(a), element by element. `Op::value` and `Op::derivative` are in attention/functions.hpp.
template <class Op, expression A>
struct unary {
    using expression_tag = void;
    static constexpr length size = A::size;
    operator double() const = delete;
    A a;
};

/// a op b, element by element; a scalar beside a row counts for each element.
template <class Op, expression A, expression B>
struct binary {
    using expression_tag = void;
    static constexpr length size = A::size == length::scalar ? B::size : A::size;
    operator double() const = delete;
    A a;
    B b;
};

/// sum_c a_c b_c.
template <expression A, expression B>
struct inner {
    using expression_tag = void;
    static constexpr length size = length::scalar;
    operator double() const = delete;
    A a;
    B b;
};

/// What a mistake gives once it is reported: it fits everywhere, so that nothing more is said of it.
struct ill_formed {
    using expression_tag = void;
    static constexpr length size = length::scalar;
};

struct add_op;
struct subtract_op;
struct multiply_op;
struct divide_op;
struct maximum_op;
struct minimum_op;
struct exp_op;
struct exp_below_op;
struct log_op;
struct sqrt_op;
struct tanh_op;
struct sigmoid_op;
struct softplus_op;
struct relu_op;
struct abs_op;
struct square_op;
struct stop_gradient_op;

/// Numbers become constants, formulas stay what they are.
template <expression E>
constexpr auto lift(E const& e) {
    return e;
}
constexpr constant lift(double x) { return {x}; }

template <class A, class B>
concept operands = (expression<A> && (expression<B> || std::convertible_to<B, double>)) ||
                   (expression<B> && std::convertible_to<A, double>);

template <class Op, class A, class B>
constexpr auto make_binary(A const& a, B const& b) {
    auto x = lift(a);
    auto y = lift(b);
    constexpr length m = length_of<decltype(x)>, n = length_of<decltype(y)>;
    constexpr bool fit = m == n || m == length::scalar || n == length::scalar;
    static_assert(fit, "an operator between two rows of different lengths (head size D, model width C, or keys?)");
    if constexpr (fit)
        return binary<Op, decltype(x), decltype(y)>{x, y};
    else
        return ill_formed{};
}

template <class A, class B>
    requires operands<A, B>
constexpr auto operator+(A const& a, B const& b) { return make_binary<add_op>(a, b); }
template <class A, class B>
    requires operands<A, B>
constexpr auto operator-(A const& a, B const& b) { return make_binary<subtract_op>(a, b); }
template <class A, class B>
    requires operands<A, B>
constexpr auto operator*(A const& a, B const& b) { return make_binary<multiply_op>(a, b); }
/// Division by a number is multiplication by its inverse: what kernels repeat for every score should not divide.
template <class A, class B>
    requires operands<A, B>
constexpr auto operator/(A const& a, B const& b) {
    if constexpr (expression<B>)
        return make_binary<divide_op>(a, b);
    else
        return make_binary<multiply_op>(a, 1 / static_cast<double>(b));
}
template <expression A>
constexpr auto operator-(A const& a) { return 0 - a; }

template <expression A>
constexpr auto exp(A const& a) { return unary<exp_op, A>{a}; }
/// exp(min(a, 0)): at most 1, so that it needs no reference; `exp` of a score is relative to the row's largest.
template <expression A>
constexpr auto exp_below(A const& a) { return unary<exp_below_op, A>{a}; }
template <expression A>
constexpr auto log(A const& a) { return unary<log_op, A>{a}; }
template <expression A>
constexpr auto sqrt(A const& a) { return unary<sqrt_op, A>{a}; }
template <expression A>
constexpr auto tanh(A const& a) { return unary<tanh_op, A>{a}; }
/// 1 / (1 + exp(-a))
template <expression A>
constexpr auto sigmoid(A const& a) { return unary<sigmoid_op, A>{a}; }
/// log(1 + exp(a)); log(sigmoid(a)) is -softplus(-a)
template <expression A>
constexpr auto softplus(A const& a) { return unary<softplus_op, A>{a}; }
/// max(a, 0)
template <expression A>
constexpr auto relu(A const& a) { return unary<relu_op, A>{a}; }
template <expression A>
constexpr auto abs(A const& a) { return unary<abs_op, A>{a}; }
template <expression A>
constexpr auto square(A const& a) { return unary<square_op, A>{a}; }
/// a, as if it were a constant on the way back
template <expression A>
constexpr auto stop_gradient(A const& a) { return unary<stop_gradient_op, A>{a}; }
/// The larger; where both are equal the gradient goes to a.
template <class A, class B>
    requires operands<A, B>
constexpr auto maximum(A const& a, B const& b) { return make_binary<maximum_op>(a, b); }
/// The smaller; where both are equal the gradient goes to a.
template <class A, class B>
    requires operands<A, B>
constexpr auto minimum(A const& a, B const& b) { return make_binary<minimum_op>(a, b); }
/// a kept between low and high; the gradient passes at both ends.
template <expression A>
constexpr auto clamp(A const& a, double low, double high) { return minimum(maximum(a, low), high); }

// Functions of <cmath> that the language lacks: a short error instead of every overload of the C library.
template <expression A> ill_formed sin(A const&) = delete;
template <expression A> ill_formed cos(A const&) = delete;
template <expression A> ill_formed erf(A const&) = delete;
template <expression A> ill_formed log2(A const&) = delete;
template <expression A> ill_formed exp2(A const&) = delete;
template <expression A, class B> ill_formed pow(A const&, B const&) = delete;
template <expression A, class B> ill_formed max(A const&, B const&) = delete;   // maximum
template <expression A, class B> ill_formed min(A const&, B const&) = delete;   // minimum

/// Whether any part of a formula of type E has the property `Has<part>::value`. Parts are the members `a` and `b`.
template <template <class> class Has, class E>
consteval bool any_part() {
    bool found = Has<std::remove_cvref_t<E>>::value;
    if constexpr (requires(E e) { e.a; }) found = found || any_part<Has, decltype(E::a)>();
    if constexpr (requires(E e) { e.b; }) found = found || any_part<Has, decltype(E::b)>();
    return found;
}

template <class E>
struct is_ill_formed : std::is_same<E, ill_formed> {};

/// sum_c a_c b_c of two rows of one length
template <expression A, expression B>
constexpr auto dot(A const& a, B const& b) {
    if constexpr (any_part<is_ill_formed, A>() || any_part<is_ill_formed, B>()) {
        return ill_formed{};
    } else {
        constexpr bool rows = A::size != length::scalar && B::size != length::scalar, fit = A::size == B::size;
        static_assert(rows, "dot(a, b) wants two rows, but a or b is a number: write a * b");
        static_assert(!rows || fit, "dot(a, b): the two rows have different lengths (head size against model width?)");
        static_assert(!fit || A::size != length::keys, "dot(a, b) over the keys of a row: a sum over keys is a weighting's summand");
        if constexpr (rows && fit && A::size != length::keys)
            return inner<A, B>{a, b};
        else
            return ill_formed{};
    }
}

template <class Tag>
struct has_tag {
    template <class E>
    struct of : std::false_type {};
    template <length N>
    struct of<symbol<Tag, N>> : std::true_type {};
};
/// Whether a formula mentions a symbol.
template <class Tag, class E>
inline constexpr bool mentions = any_part<has_tag<Tag>::template of, E>();

}  // namespace attnlab::expr
