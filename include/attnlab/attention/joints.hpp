#pragma once
#include <string_view>
#include <tuple>
#include <type_traits>

#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/per_token.hpp>
#include <attnlab/attention/weighting.hpp>

/// \file
/// Which joint a struct supplies, by the names of its members alone: asking for a name, unlike trying a call, never compiles the
/// member, so that a mistake inside it is reported once and where it stands.

namespace attnlab::detail {

/// Arguments for a member of a joint; the trailing ones may be left out.
template <class... Args>
struct given;
template <class A>
struct given<A> {
    A a{};
};
template <class A, class B>
struct given<A, B> {
    A a{};
    B b{};
};
template <class A, class B, class C>
struct given<A, B, C> {
    A a{};
    B b{};
    C c{};
};

struct others {};   // what the other function returns
struct no_function {};

// Per name: whether a struct has such a member, whatever it is (a second base has that name too: it is ambiguous), and how it is
// called. C++ has no template over names, hence a macro. `takes` asks whether the arguments fit without compiling the member: beside
// another function that takes anything, the call is ambiguous. A compiler forgets a member that failed, so `takes` comes first.
#define ATTNLAB_NAME(name)                                                                                                             \
    struct name##_member {                                                                                                             \
        struct also {                                                                                                                  \
            int name;                                                                                                                  \
        };                                                                                                                             \
        template <class J>                                                                                                             \
        struct with : J, also {};                                                                                                      \
        template <class J>                                                                                                             \
        static constexpr bool in = !requires { &with<J>::name; };                                                                      \
                                                                                                                                       \
        struct other {                                                                                                                 \
            template <class A>                                                                                                         \
            static others name(A, others* = nullptr);                                                                                  \
            template <class A, class B>                                                                                                \
            static others name(A, B, others* = nullptr);                                                                               \
            template <class A, class B, class C>                                                                                       \
            static others name(A, B, C, others* = nullptr);                                                                            \
        };                                                                                                                             \
        template <class J>                                                                                                             \
        struct beside : J, other {                                                                                                     \
            using J::name;                                                                                                             \
            using other::name;                                                                                                         \
        };                                                                                                                             \
        template <class J>                                                                                                             \
        static constexpr bool is_object = requires { requires !std::is_function_v<decltype(J::name)>; };                               \
        template <class J>                                                                                                             \
        using beside_or_nothing = std::conditional_t<in<J> && !is_object<J>, beside<J>, no_function>;                                  \
        template <class J, class G>                                                                                                    \
        static constexpr bool takes = in<J> && !is_object<J> && requires(beside_or_nothing<J> j, G const& g) {                         \
            requires !requires { requires std::is_same_v<decltype(j.name(g.a)), others>; } ||                                          \
                         (requires { g.b; } && !requires { requires std::is_same_v<decltype(j.name(g.a, g.b)), others>; }) ||          \
                         (requires { g.c; } && !requires { requires std::is_same_v<decltype(j.name(g.a, g.b, g.c)), others>; });       \
        };                                                                                                                             \
        template <class J, class G>                                                                                                    \
        static constexpr bool calls = requires(G const& g) { J::name(g.a, g.b, g.c); } ||                                              \
                                      requires(G const& g) { J::name(g.a, g.b); } || requires(G const& g) { J::name(g.a); };           \
        template <class J, class G>                                                                                                    \
        static constexpr bool calls_on_object =                                                                                        \
            requires(J j, G const& g) { j.name(g.a, g.b, g.c); } || requires(J j, G const& g) { j.name(g.a, g.b); } ||                 \
            requires(J j, G const& g) { j.name(g.a); };                                                                                \
        template <class J, class G>                                                                                                    \
        static constexpr auto call(G const& g) {                                                                                       \
            if constexpr (requires { J::name(g.a, g.b, g.c); }) return J::name(g.a, g.b, g.c);                                         \
            else if constexpr (requires { J::name(g.a, g.b); }) return J::name(g.a, g.b);                                              \
            else return J::name(g.a);                                                                                                  \
        }                                                                                                                              \
    };                                                                                                                                 \
    template <class J>                                                                                                                 \
    concept names_##name = name##_member::in<J>;
ATTNLAB_NAME(query)
ATTNLAB_NAME(key)
ATTNLAB_NAME(value)
ATTNLAB_NAME(score)
ATTNLAB_NAME(keys)
ATTNLAB_NAME(summand)
ATTNLAB_NAME(weight)
ATTNLAB_NAME(share)
ATTNLAB_NAME(output)
ATTNLAB_NAME(slot_share)
#undef ATTNLAB_NAME

template <class J>
concept prologue_joint = names_query<J> || names_key<J> || names_value<J>;
template <class J>
concept score_joint = names_score<J>;
template <class J>
concept mask_joint = names_keys<J>;
template <class J>
concept weighting_joint = names_summand<J> || names_weight<J> || names_share<J>;
template <class J>
concept output_joint = names_output<J>;
template <class J>
inline constexpr int joints_in =
    int{prologue_joint<J>} + int{score_joint<J>} + int{mask_joint<J>} + int{weighting_joint<J>} + int{output_joint<J>};

struct no_parameters {};
template <class J>
struct parameters_of {
    using type = no_parameters;
};
template <class J>
    requires requires { typename J::parameters; }
struct parameters_of<J> {
    using type = typename J::parameters;
};
template <class J>
using parameters_t = typename parameters_of<J>::type;

template <class... Js>
struct joints {};

/// z as a weight reads it: of the degree of its summand; without one the facts of the row stand there, since `weight(s, row)` is allowed.
template <class J>
struct sum {
    using type = std::conditional_t<names_summand<J>, expr::plain_sum_symbol, row_facts>;
};
template <class J>
    requires requires(expr::score_symbol s) { requires expr::degree_of<decltype(J::summand(s))> != 0; }
struct sum<J> {
    using type = expr::sum_symbol;
};
template <class J>
using sum_of = typename sum<J>::type;

/// The arguments of each member. `E` is what the joints before made of the row that a joint changes.
template <class Member, class J, class E>
struct arguments;
template <class J, class E> struct arguments<query_member, J, E> : std::type_identity<given<query_row<E>, parameters_t<J>>> {};
template <class J, class E> struct arguments<key_member, J, E> : std::type_identity<given<key_row<E>, parameters_t<J>>> {};
template <class J, class E> struct arguments<value_member, J, E> : std::type_identity<given<value_row<E>, parameters_t<J>>> {};
template <class J, class E> struct arguments<score_member, J, E> : std::type_identity<given<E, score_facts, parameters_t<J>>> {};
template <class J, class E> struct arguments<summand_member, J, E> : std::type_identity<given<E>> {};
template <class J, class E> struct arguments<weight_member, J, E> : std::type_identity<given<E, sum_of<J>, row_facts>> {};
template <class J, class E> struct arguments<share_member, J, E> : std::type_identity<given<E>> {};
template <class J, class E> struct arguments<output_member, J, E> : std::type_identity<given<row<E>, parameters_t<J>>> {};
template <class J, class E> struct arguments<slot_share_member, J, E> : std::type_identity<given<row<E>, parameters_t<J>>> {};
template <class Member, class J, class E>
using arguments_t = typename arguments<Member, J, E>::type;

/// What a member returns; `e` goes into its first argument.
template <class Member, class J, class E>
constexpr auto result(E const& e) {
    using arguments = arguments_t<Member, J, E>;
    return Member::template call<J>(arguments{decltype(arguments::a){e}});
}

/// A formula on its way through a list of joints: `link<Member, E>{e} >> joint<J>{} >> ...`.
template <class J>
struct joint {};
template <class Member, class E>
struct link {
    E formula;
};
template <class Member, class E, class J>
constexpr auto operator>>(link<Member, E> const& l, joint<J>) {
    if constexpr (Member::template in<J>) {
        auto next = result<Member, J>(l.formula);
        return link<Member, decltype(next)>{next};
    } else {
        return l;
    }
}
/// What `first` becomes in the joints that have `Member`, one after the other.
template <class Member, class... Js, class E>
constexpr auto chained(E const& first) {
    return (link<Member, E>{first} >> ... >> joint<Js>{}).formula;
}

/// The formulas of a weighting.
template <class J>
constexpr auto summand_of() {
    if constexpr (names_summand<J>) return result<summand_member, J>(expr::score_symbol{});
    else return expr::unit{};
}
template <class J>
constexpr auto weight_of() {
    constexpr expr::score_symbol s;
    if constexpr (names_share<J>) return result<share_member, J>(s - expr::threshold_symbol{});
    else return result<weight_member, J>(s);
}

/// The struct among `Js` that `Is` holds of, or `Default`.
template <class Default, template <class> class Is, class... Js>
struct first_of {
    using type = Default;
};
template <class Default, template <class> class Is, class J, class... Rest>
struct first_of<Default, Is, J, Rest...> {
    using type = typename std::conditional_t<Is<J>::value, first_of<J, Is>, first_of<Default, Is, Rest...>>::type;
};
template <class J>
struct is_mask : std::bool_constant<mask_joint<J>> {};
template <class J>
struct is_weighting : std::bool_constant<weighting_joint<J>> {};
template <class J>
struct is_slot : std::bool_constant<names_slot_share<J>> {};

template <class... Names>
constexpr bool distinct(Names... names) {
    std::string_view const list[] = {names..., {}};
    for (std::size_t i = 0; i < sizeof...(names); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (list[i] == list[j]) return false;
    return true;
}

}  // namespace attnlab::detail
