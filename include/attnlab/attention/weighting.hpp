#pragma once
#include <type_traits>

#include <attnlab/attention/graded.hpp>

/// \file
/// A weighting's formula, taken apart: `weight(s, z) = f(s) g(z)` where it separates, so that one pass over the keys is enough and
/// g is multiplied at the row's end. Both factors are found by type.

namespace attnlab::expr {

/// The number 1, known as such by its type: a factor that may be left out.
struct unit {
    using expression_tag = void;
    static constexpr length size = length::scalar;
};
template <class Variable, class L>
constexpr auto evaluate(unit const&, scalar_point<L> const&) {
    return make_graded<0>(L(1), nothing{});
}

/// The factors of a weight. `separates` is false when the formula is no product of a function of s and a function of z.
template <class F, class G, bool Separates = true>
struct factors {
    static constexpr bool separates = Separates;
    F of_score;
    G of_sum;
};
using inseparable = factors<unit, unit, false>;

/// x op y without factors of 1, so that softmax's f(s) is exp(s), the very formula of its summand, and is computed once.
template <class Op, class X, class Y>
constexpr auto join(X const& x, Y const& y) {
    if constexpr (std::is_same_v<Y, unit>)
        return x;
    else if constexpr (!std::is_same_v<X, unit>)
        return binary<Op, X, Y>{x, y};
    else if constexpr (std::is_same_v<Op, multiply_op>)
        return y;
    else
        return binary<Op, constant, Y>{{1}, y};
}

template <class E>
constexpr auto separate(E const& e) {
    if constexpr (!mentions<sum_tag, E>)
        return factors<E, unit>{e, {}};
    else if constexpr (!mentions<score_tag, E>)
        return factors<unit, E>{{}, e};
    else
        return inseparable{};
}
template <class Op, class A, class B>
    requires(mentions<sum_tag, binary<Op, A, B>> && mentions<score_tag, binary<Op, A, B>> &&
             (std::is_same_v<Op, multiply_op> || std::is_same_v<Op, divide_op>))
constexpr auto separate(binary<Op, A, B> const& e) {
    auto const a = separate(e.a);
    auto const b = separate(e.b);
    if constexpr (!decltype(a)::separates || !decltype(b)::separates) {
        return inseparable{};
    } else {
        auto f = join<Op>(a.of_score, b.of_score);
        auto g = join<Op>(a.of_sum, b.of_sum);
        return factors<decltype(f), decltype(g)>{f, g};
    }
}

/// The value of a part of the formula that is the same for a whole row, such as log(row.length): computed once.
template <class L>
struct known {
    using expression_tag = void;
    static constexpr length size = length::scalar;
    L value;
};
template <class Variable, class L>
constexpr auto evaluate(known<L> const& e, scalar_point<L> const&) {
    return make_graded<0>(e.value, nothing{});
}

/// Whether a formula speaks of the row's lengths.
template <class E>
inline constexpr bool of_row = mentions<length_tag, E> || mentions<visible_tag, E>;

template <class L, class Op, class A, class B>
auto settle_binary(binary<Op, A, B> const& e, row_lengths n);
template <class L, class Op, class A>
auto settle_unary(unary<Op, A> const& e, row_lengths n);

/// The formula with all that depends on the row alone made known, for lanes of type L.
template <class L, class E>
auto settle(E const& e, [[maybe_unused]] row_lengths n) {
    if constexpr (!of_row<E>)
        return e;
    else if constexpr (!mentions<score_tag, E> && !mentions<sum_tag, E> && !mentions<threshold_tag, E>)
        return known<L>{in_lanes<L>(evaluate<void>(e, scalar_point<double>{0, 0, 0, 1, n.length, n.visible}).value)};
    else if constexpr (requires { e.b; })
        return settle_binary<L>(e, n);
    else
        return settle_unary<L>(e, n);
}
template <class L, class Op, class A, class B>
auto settle_binary(binary<Op, A, B> const& e, row_lengths n) {
    auto a = settle<L>(e.a, n);
    auto b = settle<L>(e.b, n);
    return binary<Op, decltype(a), decltype(b)>{a, b};
}
template <class L, class Op, class A>
auto settle_unary(unary<Op, A> const& e, row_lengths n) {
    auto a = settle<L>(e.a, n);
    return unary<Op, decltype(a)>{a};
}

}  // namespace attnlab::expr
