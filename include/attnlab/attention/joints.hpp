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

// Whether a struct has a member of some name, whatever it is: where a second base has that name too, it is ambiguous. C++ has no
// template over names, hence one pair for each.
#define ATTNLAB_NAME(name)                                        \
    struct also_##name {                                          \
        int name;                                                 \
    };                                                            \
    template <class J>                                            \
    struct with_##name : J, also_##name {};                       \
    template <class J>                                            \
    concept names_##name = !requires { &with_##name<J>::name; };
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

/// A member of joints that changes a formula, and how it is called: with the parameters where it takes them.
struct query_member {
    template <class J>
    static constexpr bool in = names_query<J>;
    template <class J, class E>
    static constexpr auto call(E const& e) {
        if constexpr (requires { J::query(query_row<E>{e}, parameters_t<J>{}); }) return J::query(query_row<E>{e}, parameters_t<J>{});
        else return J::query(query_row<E>{e});
    }
};
struct key_member {
    template <class J>
    static constexpr bool in = names_key<J>;
    template <class J, class E>
    static constexpr auto call(E const& e) {
        if constexpr (requires { J::key(key_row<E>{e}, parameters_t<J>{}); }) return J::key(key_row<E>{e}, parameters_t<J>{});
        else return J::key(key_row<E>{e});
    }
};
struct value_member {
    template <class J>
    static constexpr bool in = names_value<J>;
    template <class J, class E>
    static constexpr auto call(E const& e) {
        if constexpr (requires { J::value(value_row<E>{e}, parameters_t<J>{}); }) return J::value(value_row<E>{e}, parameters_t<J>{});
        else return J::value(value_row<E>{e});
    }
};
struct score_member {
    template <class J>
    static constexpr bool in = names_score<J>;
    template <class J, class E>
    static constexpr auto call(E const& e) {
        if constexpr (requires { J::score(e, score_facts{}, parameters_t<J>{}); }) return J::score(e, score_facts{}, parameters_t<J>{});
        else if constexpr (requires { J::score(e, score_facts{}); }) return J::score(e, score_facts{});
        else return J::score(e);
    }
};
struct output_member {
    template <class J>
    static constexpr bool in = names_output<J>;
    template <class J, class E>
    static constexpr auto call(E const& e) {
        if constexpr (requires { J::output(row<E>{e}, parameters_t<J>{}); }) return J::output(row<E>{e}, parameters_t<J>{});
        else return J::output(row<E>{e});
    }
};

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
        auto next = Member::template call<J>(l.formula);
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
    if constexpr (names_summand<J>)
        return J::summand(expr::score_symbol{});
    else
        return expr::unit{};
}
/// z as a weighting's formula reads it: of the degree of its summand.
template <class J>
using sum_of = std::conditional_t<expr::degree_of<decltype(summand_of<J>())> == 0, expr::plain_sum_symbol, expr::sum_symbol>;
template <class J>
constexpr auto weight_of() {
    constexpr expr::score_symbol s;
    if constexpr (names_share<J>)
        return J::share(s - expr::threshold_symbol{});
    else if constexpr (names_summand<J> && requires { J::weight(s, sum_of<J>{}, row_facts{}); })
        return J::weight(s, sum_of<J>{}, row_facts{});
    else if constexpr (names_summand<J>)
        return J::weight(s, sum_of<J>{});
    else if constexpr (requires { J::weight(s, row_facts{}); })
        return J::weight(s, row_facts{});
    else
        return J::weight(s);
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
