#pragma once
#include <type_traits>

#include <attnlab/attention/functions.hpp>
#include <attnlab/attention/symbols.hpp>

/// \file
/// Scalar joints, evaluated safely and with their derivative. `exp(s)` overflows; so a value of degree d stands for value * e^(d m)
/// with m the row's reference (the largest score met): exp(s) is exp(s - m) of degree 1, a product adds degrees, a sum brings the
/// lower operand up by e^-m. The formula `exp(s) / (1 + z)` written literally thus becomes the stable one-pass form.

namespace attnlab::expr {

/// `value` e^m: a constant that rides with the row's reference, and is held fixed in the gradient as m is.
struct relative_constant {
    using expression_tag = void;
    static constexpr length size = length::scalar;
    double value;
};
}  // namespace attnlab::expr

namespace attnlab {
/// x times the largest exponential of the row, e^m: the epsilon of codes that add it after subtracting the maximum.
constexpr expr::relative_constant relative(double x) { return {x}; }
}  // namespace attnlab

namespace attnlab::expr {
/// An absent derivative: structurally zero, so that it costs nothing.
struct nothing {};

/// A value of some degree and its derivative by one variable. The derivative by a variable of degree v has degree Degree - v.
template <class L, int Degree, class D>
struct graded {
    static constexpr int degree = Degree;
    static constexpr bool varies = !std::is_same_v<D, nothing>;
    L value;
    [[no_unique_address]] D derivative;
};

template <int Degree, class L, class D>
constexpr graded<L, Degree, D> make_graded(L value, D derivative) {
    return {value, derivative};
}

/// What a scalar joint is evaluated at. `sum` is Z e^-m, or the row's threshold less m (then `score` is less m too).
template <class L>
struct scalar_point {
    L score, sum;
    L reference;        ///< m
    L lift;             ///< e^-m, read only where degrees are mixed
    L length, visible;  ///< the T of the formula, the keys that the row sees
};

// Degrees, read off the type. exp of anything that moves with the score has degree 1; nothing else creates one.
template <class E>
inline constexpr int degree_of = 0;
template <>
inline constexpr int degree_of<symbol<sum_tag>> = 1;
template <>
inline constexpr int degree_of<relative_constant> = 1;
template <class A>
inline constexpr int degree_of<unary<exp_op, A>> = mentions<score_tag, A> ? 1 : 0;
template <class A>
inline constexpr int degree_of<unary<relu_op, A>> = degree_of<A>;
template <class A>
inline constexpr int degree_of<unary<abs_op, A>> = degree_of<A>;
template <class A>
inline constexpr int degree_of<unary<stop_gradient_op, A>> = degree_of<A>;
template <class A>
inline constexpr int degree_of<unary<square_op, A>> = 2 * degree_of<A>;
template <class A, class B>
inline constexpr int degree_of<binary<multiply_op, A, B>> = degree_of<A> + degree_of<B>;
template <class A, class B>
inline constexpr int degree_of<binary<divide_op, A, B>> = degree_of<A> - degree_of<B>;
// Sums, differences, the larger and the smaller: of the higher degree.
template <class Op, class A, class B>
inline constexpr int degree_of<binary<Op, A, B>> = degree_of<A> > degree_of<B> ? degree_of<A> : degree_of<B>;

/// Whether a sum of unequal degrees occurs: then m may not go below 0, or e^-m would overflow.
template <class E>
inline constexpr bool mixes_degrees = false;
template <class Op, class A>
inline constexpr bool mixes_degrees<unary<Op, A>> = mixes_degrees<A>;
template <class Op, class A, class B>
inline constexpr bool mixes_degrees<binary<Op, A, B>> =
    mixes_degrees<A> || mixes_degrees<B> ||
    (!std::is_same_v<Op, multiply_op> && !std::is_same_v<Op, divide_op> && degree_of<A> != degree_of<B>);

/// Whether exp of the score occurs: then a row reference is needed at all.
template <class E>
inline constexpr bool has_degree = degree_of<E> != 0;
template <class Op, class A>
inline constexpr bool has_degree<unary<Op, A>> = has_degree<A> || degree_of<unary<Op, A>> != 0;
template <class Op, class A, class B>
inline constexpr bool has_degree<binary<Op, A, B>> = has_degree<A> || has_degree<B>;

/// A number of a formula in lanes of type L.
template <class L>
constexpr L in_lanes(double x) {
    if constexpr (std::is_same_v<L, double>)
        return x;
    else
        return L(static_cast<float>(x));
}
template <class Variable, class L>
constexpr auto evaluate(constant const& c, scalar_point<L> const&) {
    return make_graded<0>(in_lanes<L>(c.value), nothing{});
}
template <class Variable, class L>
constexpr auto evaluate(relative_constant const& c, scalar_point<L> const&) {
    return make_graded<1>(in_lanes<L>(c.value), nothing{});
}

template <class Variable, class L, class Tag>
constexpr auto evaluate(symbol<Tag> const&, scalar_point<L> const& at) {
    constexpr int degree = degree_of<symbol<Tag>>;
    constexpr bool of_sum = std::is_same_v<Tag, sum_tag> || std::is_same_v<Tag, plain_sum_tag> || std::is_same_v<Tag, threshold_tag>;
    L value;
    if constexpr (std::is_same_v<Tag, score_tag>)
        value = at.score;
    else if constexpr (of_sum)
        value = at.sum;
    else if constexpr (std::is_same_v<Tag, visible_tag>)
        value = at.visible;
    else {
        static_assert(std::is_same_v<Tag, length_tag>, "a weighting may speak of s, z, row.length and row.visible only");
        value = at.length;
    }
    if constexpr (std::is_same_v<Tag, Variable> || (of_sum && std::is_same_v<Variable, sum_tag>))
        return make_graded<degree>(value, L(1));
    else
        return make_graded<degree>(value, nothing{});
}

/// e^(a - b), which some lanes know better.
template <class L>
constexpr L exp_of_difference(L const& a, L const& b) {
    if constexpr (requires { lane_functions<L>::exp_of_difference(a, b); })
        return lane_functions<L>::exp_of_difference(a, b);
    else
        return exp_op::value(a - b);
}
template <class Variable, class L, class Op, class A>
constexpr auto evaluate(unary<Op, A> const& e, scalar_point<L> const& at) {
    auto const a = evaluate<Variable>(e.a, at);
    constexpr int degree = degree_of<unary<Op, A>>;
    L x = a.value, y;
    if constexpr (std::is_same_v<Op, exp_op> && degree == 1) {
        static_assert(std::is_same_v<A, symbol<score_tag>>, "weighting: exp wants the score itself; change the score by a score joint");
        y = exp_of_difference(x, at.reference);
    } else {
        y = Op::value(x);
        static_assert(degree_of<A> == 0 || degree_of<unary<Op, A>> != 0,
                      "weighting: log, sqrt, tanh, sigmoid and exp want an argument in which exp(s) cancels, as in exp(s) / z");
    }
    if constexpr (a.varies)
        return make_graded<degree>(y, Op::derivative(x, y) * a.derivative);
    else
        return make_graded<degree>(y, nothing{});
}

/// `x` times e^-m as often as degrees are missing.
template <int Missing, class L>
constexpr L lifted(L x, [[maybe_unused]] L lift) {
    static_assert(Missing >= 0);
    if constexpr (Missing == 0)
        return x;
    else
        return lifted<Missing - 1>(x * lift, lift);
}

template <class Variable, class L, class Op, class A, class B>
constexpr auto evaluate(binary<Op, A, B> const& e, scalar_point<L> const& at) {
    auto const a = evaluate<Variable>(e.a, at);
    auto const b = evaluate<Variable>(e.b, at);
    constexpr int degree = degree_of<binary<Op, A, B>>;
    if constexpr (std::is_same_v<Op, multiply_op>) {
        L const y = a.value * b.value;
        if constexpr (a.varies && b.varies)
            return make_graded<degree>(y, a.derivative * b.value + a.value * b.derivative);
        else if constexpr (a.varies)
            return make_graded<degree>(y, a.derivative * b.value);
        else if constexpr (b.varies)
            return make_graded<degree>(y, a.value * b.derivative);
        else
            return make_graded<degree>(y, nothing{});
    } else if constexpr (std::is_same_v<Op, divide_op>) {
        L const inverse = L(1) / b.value, y = a.value * inverse;
        if constexpr (a.varies && b.varies)
            return make_graded<degree>(y, (a.derivative - y * b.derivative) * inverse);
        else if constexpr (a.varies)
            return make_graded<degree>(y, a.derivative * inverse);
        else if constexpr (b.varies)
            return make_graded<degree>(y, (L(0) - y * b.derivative) * inverse);
        else
            return make_graded<degree>(y, nothing{});
    } else {
        constexpr int up_a = degree - degree_of<A>, up_b = degree - degree_of<B>;
        L const x = lifted<up_a>(a.value, at.lift), x2 = lifted<up_b>(b.value, at.lift), y = Op::value(x, x2);
        // What a change of a, and of b, by one does: the pull of 1.
        [[maybe_unused]] auto const [by_a, by_b] = Op::pull(L(1), x, x2, y);
        if constexpr (a.varies && b.varies)
            return make_graded<degree>(y, by_a * lifted<up_a>(a.derivative, at.lift) + by_b * lifted<up_b>(b.derivative, at.lift));
        else if constexpr (a.varies)
            return make_graded<degree>(y, by_a * lifted<up_a>(a.derivative, at.lift));
        else if constexpr (b.varies)
            return make_graded<degree>(y, by_b * lifted<up_b>(b.derivative, at.lift));
        else
            return make_graded<degree>(y, nothing{});
    }
}

}  // namespace attnlab::expr
