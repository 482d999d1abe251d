#pragma once
#include <attnlab/attention/symbols.hpp>

/// \file
/// Numbers of a score that belong to one token and head rather than to a pair: computed once a token, in a pass before the scores,
/// summed along the sequence where asked (FoX, 2503.02130), read at the query and at the key. On the way back the adjoints of a
/// token's number are gathered, summed along the sequence in reverse, and passed on to x and the parameters.

namespace attnlab {

namespace expr {
/// Where a token's number is read.
enum class side { query, key };

/// The number of `A`, a scalar formula of one token, at the query (a number) or at each key of the row.
template <expression A, bool Scan, side At>
struct token_number {
    using expression_tag = void;
    static_assert(A::size == length::scalar, "per_token, cumulative_sum: expected a number for each token, as in dot(at.input, p.weight)");
    static constexpr bool scan = Scan;
    static constexpr length size = At == side::query ? length::scalar : length::keys;
    A a;
};

template <class E>
struct is_token_number : std::false_type {};
template <class A, bool Scan, side At>
struct is_token_number<token_number<A, Scan, At>> : std::true_type {};

/// A number for each token, to be read with `at_query()` and `at_key()`.
template <expression A, bool Scan>
struct token_numbers {
    A formula;
    constexpr token_number<A, Scan, side::query> at_query() const { return {formula}; }
    constexpr token_number<A, Scan, side::key> at_key() const { return {formula}; }
};

/// Whether a score's formula reads x by itself, and not by a number of a token.
template <class E>
consteval bool reads_input_beside_tokens() {
    if constexpr (is_token_number<E>::value) {
        return false;
    } else {
        bool found = has_tag<input_tag>::template of<E>::value;
        if constexpr (requires(E e) { e.a; }) found = found || reads_input_beside_tokens<std::remove_cvref_t<decltype(E::a)>>();
        if constexpr (requires(E e) { e.b; }) found = found || reads_input_beside_tokens<std::remove_cvref_t<decltype(E::b)>>();
        return found;
    }
}

/// Stands for the absence of such numbers.
struct no_token_number {};

/// The token formula of a score's formula (the first, if several are written), with `scan`.
template <class E>
constexpr auto token_formula(E const& e) {
    if constexpr (is_token_number<E>::value) {
        return e;
    } else {
        auto in_a = [&] {
            if constexpr (requires { e.a; }) return token_formula(e.a);
            else return no_token_number{};
        }();
        if constexpr (!std::is_same_v<decltype(in_a), no_token_number>)
            return in_a;
        else if constexpr (requires { e.b; })
            return token_formula(e.b);
        else
            return no_token_number{};
    }
}

/// Whether two formulas of one type hold the same numbers.
template <class E>
constexpr bool same_numbers(E const& x, E const& y) {
    if constexpr (requires { x.value; })
        if (x.value != y.value) return false;
    if constexpr (requires { x.a; })
        if (!same_numbers(x.a, y.a)) return false;
    if constexpr (requires { x.b; })
        if (!same_numbers(x.b, y.b)) return false;
    return true;
}

/// Whether every token number in `e` is that of `first`.
template <class E, class A, bool Scan, side At>
constexpr bool only_token_number(E const& e, token_number<A, Scan, At> const& first) {
    if constexpr (is_token_number<E>::value) {
        if constexpr (std::is_same_v<decltype(e.a), A> && E::scan == Scan)
            return same_numbers(e.a, first.a);
        else
            return false;
    } else {
        bool only = true;
        if constexpr (requires { e.a; }) only = only && only_token_number(e.a, first);
        if constexpr (requires { e.b; }) only = only && only_token_number(e.b, first);
        return only;
    }
}
}  // namespace expr

/// `e`, a number of one token (`at.input`, parameters), for each token.
template <expr::expression E>
constexpr expr::token_numbers<E, false> per_token(E const& e) {
    return {e};
}
/// The sum of `e` over the tokens up to and with each one; its gradient is the sum over the tokens from each one on.
template <expr::expression E>
constexpr expr::token_numbers<E, true> cumulative_sum(E const& e) {
    return {e};
}

}  // namespace attnlab
