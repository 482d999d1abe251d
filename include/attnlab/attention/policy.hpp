#pragma once
#include <array>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/symbols.hpp>
#include <attnlab/attention/weighting.hpp>

/// \file
/// The policy: a list of joints that reads in the direction of the data, `attention<causal, softmax, attention_bias>`. Each struct
/// supplies one joint, recognised by its member:
///   mask       `static key_range keys(auto i, auto T)`: which keys query i sees
///   weighting  `static auto summand(auto s)` and `static auto weight(auto s, auto z)`; without a row sum just `weight(auto s)`;
///              a last argument `auto row` gives the facts of the row (row.length)
///   output     `static auto output(auto const& row, auto const& p)`: the head's result (D), with `struct parameters` for what it learns;
///              `slot_share(row, p)` if it takes a share of the weights away from the keys

namespace attnlab {

namespace detail {
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

template <class J>
concept mask_joint = requires(index_t i) { J::keys(i, i); };
template <class J>
concept sum_joint = requires(expr::score_symbol s) { J::summand(s); };
template <class J>
concept weighting_joint = sum_joint<J> || requires(expr::score_symbol s) { J::weight(s); } ||
                          requires(expr::score_symbol s, row_facts r) { J::weight(s, r); };
template <class J>
concept output_joint = requires(parameters_t<J> p) { J::output(row<>{}, p); };

template <class J>
constexpr auto weight_formula() {
    constexpr expr::score_symbol s;
    constexpr expr::sum_symbol z;
    constexpr row_facts facts;
    if constexpr (sum_joint<J>) {
        if constexpr (requires { J::weight(s, z); })
            return J::weight(s, z);
        else
            return J::weight(s, z, facts);
    } else if constexpr (requires { J::weight(s); }) {
        return J::weight(s);
    } else {
        return J::weight(s, facts);
    }
}
template <class J>
constexpr auto summand_formula() {
    if constexpr (sum_joint<J>)
        return J::summand(expr::score_symbol{});
    else
        return expr::unit{};
}

template <class... Js>
struct joints {};

/// The formula of the output joints applied one after the other.
template <class Output>
constexpr auto chain_outputs(joints<>, Output const& o) {
    return o;
}
template <class J, class... Rest, class Output>
constexpr auto chain_outputs(joints<J, Rest...>, Output const& o) {
    if constexpr (output_joint<J>) {
        auto const next = J::output(row<Output>{o, {}, {}, {}, {}}, parameters_t<J>{});
        static_assert(expr::length_of<decltype(next)> == expr::length::head, "output: the result must be a row of D, as row.output is");
        return chain_outputs(joints<Rest...>{}, next);
    } else {
        return chain_outputs(joints<Rest...>{}, o);
    }
}

template <class J>
concept slot_joint = requires(parameters_t<J> p) { J::slot_share(row<>{}, p); };

template <class... Js>
struct first_slot {
    static constexpr bool found = false;
};
template <class J, class... Rest>
struct first_slot<J, Rest...> : first_slot<Rest...> {};
template <slot_joint J, class... Rest>
struct first_slot<J, Rest...> {
    static constexpr bool found = true;
    static constexpr auto formula() { return J::slot_share(row<>{}, parameters_t<J>{}); }
};

template <class... Names>
constexpr bool distinct(Names... names) {
    std::string_view const list[] = {names..., {}};
    for (std::size_t i = 0; i < sizeof...(names); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (list[i] == list[j]) return false;
    return true;
}

// Full keys when no mask is named.
struct every_key {
    static constexpr key_range keys(index_t, index_t T) { return {0, T}; }
};
template <class... Js>
struct first_mask {
    using type = every_key;
};
template <class J, class... Rest>
struct first_mask<J, Rest...> : first_mask<Rest...> {};
template <mask_joint J, class... Rest>
struct first_mask<J, Rest...> {
    using type = J;
};
template <class... Js>
struct first_weighting;
template <class J, class... Rest>
struct first_weighting<J, Rest...> : first_weighting<Rest...> {};
template <weighting_joint J, class... Rest>
struct first_weighting<J, Rest...> {
    using type = J;
};
}  // namespace detail

/// An attention policy, composed of joints.
template <class... Joints>
struct attention {
    static_assert(((detail::mask_joint<Joints> || detail::weighting_joint<Joints> || detail::output_joint<Joints>)&&...),
                  "attention<...>: a struct supplies no joint; it needs one of keys(i, T) [mask], weight(s, ...) [weighting], "
                  "output(row, p) [output]");
    static_assert((!(int{detail::mask_joint<Joints>} + int{detail::weighting_joint<Joints>} + int{detail::output_joint<Joints>} > 1) && ...),
                  "attention<...>: a struct supplies two joints; split it in two");
    static_assert((int{detail::mask_joint<Joints>} + ... + 0) <= 1, "attention<...>: two masks");
    static_assert((int{detail::weighting_joint<Joints>} + ... + 0) == 1,
                  "attention<...>: exactly one weighting is needed, for example softmax");

    using mask = typename detail::first_mask<Joints...>::type;
    using weighting = typename detail::first_weighting<Joints...>::type;

    /// Formulas of the weighting, and weight = f(s) g(z).
    static constexpr auto summand = detail::summand_formula<weighting>();
    static constexpr auto weight = detail::weight_formula<weighting>();
    static constexpr auto factors = expr::separate(weight);
    static_assert(decltype(factors)::separates,
                  "weighting: weight(s, z) is not a product of a function of s and a function of z; this needs two passes over the "
                  "keys, which are not built yet");
    static constexpr bool has_sum = detail::sum_joint<weighting>;
    static_assert(expr::degree_of<std::remove_const_t<decltype(weight)>> == 0,
                  "weighting: exp(s) does not cancel in weight(s, z), so weights would overflow; divide by z");
    static_assert(has_sum || !expr::has_degree<std::remove_const_t<decltype(weight)>>,
                  "weighting: exp(s) without a row sum overflows; write summand(s) and divide by z");

    /// Formula of the output joints, one after the other; row.output itself when there are none.
    static constexpr auto output = detail::chain_outputs(detail::joints<Joints...>{}, row<>{}.output);
    static constexpr bool has_output = (detail::output_joint<Joints> || ...);

    static constexpr bool has_slot = detail::first_slot<Joints...>::found;
    static constexpr auto slot() { return detail::first_slot<Joints...>::formula(); }

    /// What the policy learns, in order.
    static constexpr auto parameters = std::tuple_cat(members(detail::parameters_t<Joints>{})...);
    static constexpr std::size_t parameter_count = std::tuple_size_v<std::remove_const_t<decltype(parameters)>>;
    static constexpr auto parameter_names = std::apply([](auto const&... p) { return std::array<std::string_view, parameter_count>{p.name...}; }, parameters);
    static_assert(std::apply([](auto const&... p) { return detail::distinct(p.name...); }, parameters),
                  "attention<...>: two parameters have the same name");

    /// Where `Name` stands among the parameters.
    static constexpr std::size_t position_of(std::string_view name) {
        for (std::size_t i = 0; i < parameter_count; ++i)
            if (parameter_names[i] == name) return i;
        return parameter_count;
    }

    /// Whether the policy reads the T of `length_rule`.
    static constexpr bool reads_length = expr::mentions<expr::length_tag, std::remove_const_t<decltype(weight)>>;
    /// Whether the output joints read L = log Z. Where they do not, a row may have Z = 0.
    static constexpr bool reads_log_normalizer = expr::mentions<expr::log_normalizer_tag, std::remove_const_t<decltype(output)>>;
};

}  // namespace attnlab
