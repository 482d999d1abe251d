#pragma once
#include <cmath>
#include <concepts>
#include <type_traits>
#include <utility>

/// \file
/// The language of joints. A joint is an ordinary function whose arguments are symbols; calling it once builds its formula as a
/// type, and everything else (values, derivatives, whether one pass is enough) is read off that type. Nothing is evaluated here.

namespace attnlab::expr {

/// How long a value is: one number, a row of D (head) or a row of C (model).
enum class length { scalar, head, model };

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
};

/// f(a), element by element. `Op::value` and `Op::derivative` are in attention/functions.hpp.
template <class Op, expression A>
struct unary {
    using expression_tag = void;
    static constexpr length size = A::size;
    A a;
};

/// a op b, element by element; a scalar beside a row counts for each element.
template <class Op, expression A, expression B>
struct binary {
    using expression_tag = void;
    static_assert(A::size == length::scalar || B::size == length::scalar || A::size == B::size,
                  "an operator between two rows of different lengths (head size against model width?)");
    static constexpr length size = A::size == length::scalar ? B::size : A::size;
    A a;
    B b;
};

/// sum_c a_c b_c.
template <expression A, expression B>
struct inner {
    using expression_tag = void;
    static_assert(A::size == B::size, "dot(a, b): the two rows have different lengths (head size against model width?)");
    static_assert(A::size != length::scalar, "dot(a, b) wants two rows; a and b are numbers: write a * b");
    static constexpr length size = length::scalar;
    A a;
    B b;
};

struct add_op;
struct subtract_op;
struct multiply_op;
struct divide_op;
struct exp_op;
struct log_op;
struct sqrt_op;
struct tanh_op;
struct sigmoid_op;
struct relu_op;
struct abs_op;

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
    return binary<Op, decltype(x), decltype(y)>{x, y};
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
template <class A, class B>
    requires operands<A, B>
constexpr auto operator/(A const& a, B const& b) { return make_binary<divide_op>(a, b); }
template <expression A>
constexpr auto operator-(A const& a) { return 0 - a; }

template <expression A>
constexpr auto exp(A const& a) { return unary<exp_op, A>{a}; }
template <expression A>
constexpr auto log(A const& a) { return unary<log_op, A>{a}; }
template <expression A>
constexpr auto sqrt(A const& a) { return unary<sqrt_op, A>{a}; }
template <expression A>
constexpr auto tanh(A const& a) { return unary<tanh_op, A>{a}; }
/// 1 / (1 + exp(-a))
template <expression A>
constexpr auto sigmoid(A const& a) { return unary<sigmoid_op, A>{a}; }
/// max(a, 0)
template <expression A>
constexpr auto relu(A const& a) { return unary<relu_op, A>{a}; }
template <expression A>
constexpr auto abs(A const& a) { return unary<abs_op, A>{a}; }
/// sum_c a_c b_c of two rows of one length
template <expression A, expression B>
constexpr auto dot(A const& a, B const& b) { return inner<A, B>{a, b}; }

// Whether a formula mentions a symbol.
template <class Tag, class E>
inline constexpr bool mentions = false;
template <class Tag, length N>
inline constexpr bool mentions<Tag, symbol<Tag, N>> = true;
template <class Tag, class Op, class A>
inline constexpr bool mentions<Tag, unary<Op, A>> = mentions<Tag, A>;
template <class Tag, class Op, class A, class B>
inline constexpr bool mentions<Tag, binary<Op, A, B>> = mentions<Tag, A> || mentions<Tag, B>;
template <class Tag, class A, class B>
inline constexpr bool mentions<Tag, inner<A, B>> = mentions<Tag, A> || mentions<Tag, B>;

}  // namespace attnlab::expr
