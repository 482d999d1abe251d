#pragma once
#include <attnlab/attention/joints.hpp>

/// \file
/// What may be wrong with a policy, each said in one sentence. Formulas are tried only when the members are there, and a faulty policy
/// is replaced by a sound one, so that the sentence stands alone.

namespace attnlab::detail {

enum class fault {
    none,
    no_joint,
    two_joints,
    parameter_shape,
    no_weighting,
    two_weightings,
    two_masks,
    same_name,
    mask_result,
    summand_alone,
    weight_call,
    weight_result,
    no_summand,
    exp_left,
    exp_unsummed,
    score_result,
    score_parameters,
    two_token_numbers,
    prologue_result,
    output_result,
    no_normalizer,
};

/// A fault of `Joint`, or of a whole policy, in words.
template <class Where, fault F>
struct mistake {
    static_assert(F != fault::no_joint,
                  "no joint in this struct: expected one of the static members query, key, value [prologue]; score [score]; keys [mask]; "
                  "weight, share [weighting]; output [output]");
    static_assert(F != fault::two_joints,
                  "two joints in one struct (prologue, score, mask, weighting or output): split it in two");
    static_assert(F != fault::parameter_shape,
                  "parameters: a member that is no learned tensor: expected head_vector, merged_vector, shared_vector, head_map, "
                  "head_scalar, head_table or head_matrix, each with its name on disk, as head_scalar<\"sink\"> sink{zeros}");
    static_assert(F != fault::no_weighting, "weighting: this policy has none: add one, as softmax");
    static_assert(F != fault::two_weightings, "weighting: this policy has two: keep one");
    static_assert(F != fault::two_masks, "mask: this policy has two: keep one, or join them as both<A, B>");
    static_assert(F != fault::same_name, "parameters: two of this policy have the same name on disk: rename one");
    static_assert(F != fault::mask_result,
                  "mask: expected `static constexpr key_range keys(auto i, auto T)`, its result a key_range or an array of them");
    static_assert(F != fault::summand_alone, "weighting: summand without weight: add `static constexpr auto weight(auto s, auto z)`");
    static_assert(F != fault::weight_call,
                  "weighting: weight cannot be called: expected `static constexpr auto weight(auto s, auto z)` beside a summand, else "
                  "weight(auto s); a last argument `auto row` may follow");
    static_assert(F != fault::weight_result, "weighting: summand, weight or share returns no number of s: expected a formula, as exp(s) / z");
    static_assert(F != fault::no_summand, "weighting: weight reads z, so it needs `static constexpr auto summand(auto s)`, whose row sum z is");
    static_assert(F != fault::exp_left, "weighting: exp(s) does not cancel in weight(s, z), so weights would overflow: divide by z");
    static_assert(F != fault::exp_unsummed, "weighting: exp(s) without a row sum overflows: write summand(s) and divide by z");
    static_assert(F != fault::score_result,
                  "score: expected `static constexpr auto score(auto s)`, or (s, at), or (s, at, p), its result a formula of s");
    static_assert(F != fault::score_parameters, "score: parameters of a score are head_scalar, or head_table with lookup(table, at.distance, bucket)");
    static_assert(F != fault::two_token_numbers, "score: two different formulas in per_token or cumulative_sum: a score may have one");
    static_assert(F != fault::prologue_result,
                  "prologue: expected `static constexpr auto query(auto const& row, auto const& p)` (key, value), its result a row of D "
                  "as row.query is");
    static_assert(F != fault::output_result,
                  "output: expected `static constexpr auto output(auto const& row, auto const& p)`, its result a row of D as row.output is");
    static_assert(F != fault::no_normalizer, "output: row.log_normalizer needs a weighting with a row sum (summand)");
};

template <class E, expr::length Length>
concept formula_of_length = expr::expression<E> && std::remove_cvref_t<E>::size == Length;

template <class P>
consteval bool all_learned() {
    return []<class... M>(std::tuple<M...> const*) {
        return (learned_tensor<M> && ...);
    }(static_cast<std::remove_const_t<decltype(members(P{}))>*>(nullptr));
}

/// Numbers that belong to a query head.
template <class E>
struct reads_head : std::false_type {};


template <class E>
    requires requires { typename E::learned_tag; }
struct reads_head<E> : std::bool_constant<!E::shared> {};

/// Learned rows, which a score cannot read.
template <class E>
struct is_learned_row : std::false_type {};
template <class E>
    requires requires { typename E::learned_tag; }
struct is_learned_row<E> : std::bool_constant<E::size != expr::length::scalar> {};
/// The same outside the formulas of tokens, which may read rows.
template <class E>
consteval bool reads_learned_row() {
    if constexpr (expr::is_token_number<E>::value) {
        return false;
    } else {
        bool found = is_learned_row<E>::value;
        if constexpr (requires(E e) { e.a; }) found = found || reads_learned_row<std::remove_cvref_t<decltype(E::a)>>();
        if constexpr (requires(E e) { e.b; }) found = found || reads_learned_row<std::remove_cvref_t<decltype(E::b)>>();
        return found;
    }
}

template <class J>
consteval fault fault_of_mask() {
    if constexpr (requires(index_t i) { J::keys(i, i, i); }) {
        if (requires(index_t i) { as_array(J::keys(i, i, i)); }) return fault::none;
    } else if constexpr (requires(index_t i) { as_array(J::keys(i, i)); }) {
        return fault::none;
    }
    return fault::mask_result;
}

// Whether a weight can be called; the wrong way is not even tried, since it would compile the body.
template <class J>
concept callable_with_sum = !names_summand<J> || requires(expr::score_symbol s) { J::weight(s, expr::sum_symbol{}); } ||
                            requires(expr::score_symbol s) { J::weight(s, expr::sum_symbol{}, row_facts{}); };
template <class J>
concept callable_without_sum = names_summand<J> || requires(expr::score_symbol s) { J::weight(s); } ||
                               requires(expr::score_symbol s) { J::weight(s, row_facts{}); };

template <class J>
consteval fault fault_of_weighting() {
    constexpr expr::score_symbol s;
    if constexpr (names_summand<J> && !names_weight<J>) {
        return fault::summand_alone;
    } else if constexpr (names_share<J>) {
        return requires { J::share(s); } ? fault::none : fault::weight_call;
    } else if constexpr (!callable_with_sum<J> || !callable_without_sum<J>) {
        return fault::weight_call;
    } else {
        using weight = decltype(weight_of<J>());
        using summand = decltype(summand_of<J>());
        if constexpr (!formula_of_length<weight, expr::length::scalar> || !formula_of_length<summand, expr::length::scalar>) return fault::weight_result;
        else if constexpr (expr::mentions<expr::unsummed_tag, weight>) return fault::no_summand;
        else if constexpr (!names_summand<J> && expr::has_degree<weight>) return fault::exp_unsummed;
        else if constexpr (expr::degree_of<weight> != 0) return fault::exp_left;
        else return fault::none;
    }
}

/// Whether the formula that `Member` of J makes of `E` is a row of that length.
template <class Member, class J, class E>
consteval bool makes_row() {
    if constexpr (!Member::template in<J>)
        return true;
    else
        return formula_of_length<decltype(Member::template call<J>(E{})), E::size>;
}

template <class J>
consteval fault fault_of_joint() {
    using row_of_head = expr::symbol<expr::source_tag, expr::length::head>;
    if constexpr (!std::is_class_v<J>) {
        return fault::no_joint;
    } else if constexpr (joints_in<J> == 0) {
        return fault::no_joint;
    } else if constexpr (joints_in<J> > 1) {
        return fault::two_joints;
    } else if constexpr (!all_learned<parameters_t<J>>()) {
        return fault::parameter_shape;
    } else if constexpr (mask_joint<J>) {
        return fault_of_mask<J>();
    } else if constexpr (weighting_joint<J>) {
        return fault_of_weighting<J>();
    } else if constexpr (score_joint<J>) {
        if constexpr (!makes_row<score_member, J, expr::score_row>()) return fault::score_result;
        else if constexpr (reads_learned_row<decltype(score_member::call<J>(expr::score_row{}))>()) return fault::score_parameters;
        else return fault::none;
    } else if constexpr (prologue_joint<J>) {
        return makes_row<query_member, J, row_of_head>() && makes_row<key_member, J, row_of_head>() && makes_row<value_member, J, row_of_head>()
                   ? fault::none : fault::prologue_result;
    } else {
        return makes_row<output_member, J, row_of_head>() ? fault::none : fault::output_result;
    }
}

template <class... Js>
consteval bool one_token_number() {
    constexpr auto score = chained<score_member, Js...>(expr::score_row{});
    constexpr auto first = expr::token_formula(score);
    if constexpr (std::is_same_v<decltype(first), expr::no_token_number const>)
        return true;
    else
        return expr::only_token_number(score, first);
}

template <class... Js>
consteval fault fault_of_policy() {
    if constexpr ((int{weighting_joint<Js>} + ... + 0) == 0) return fault::no_weighting;
    else if constexpr ((int{weighting_joint<Js>} + ... + 0) > 1) return fault::two_weightings;
    else if constexpr ((int{mask_joint<Js>} + ... + 0) > 1) return fault::two_masks;
    else if constexpr (!std::apply([](auto const&... p) { return distinct(p.name...); }, std::tuple_cat(members(parameters_t<Js>{})...)))
        return fault::same_name;
    else if constexpr (!one_token_number<Js...>()) return fault::two_token_numbers;
    else if constexpr (expr::mentions<expr::log_normalizer_tag, decltype(chained<output_member, Js...>(expr::symbol<expr::source_tag, expr::length::head>{}))> &&
                       !(names_summand<Js> || ...))
        return fault::no_normalizer;
    else return fault::none;
}

/// Whether the joints make a policy; where not, the mistake of one of them, or of the whole, fails to compile.
template <class... Js>
consteval bool sound() {
    if constexpr (((fault_of_joint<Js>() == fault::none) && ...)) {
        constexpr fault whole = fault_of_policy<Js...>();
        [[maybe_unused]] mistake<joints<Js...>, whole> check;
        return whole == fault::none;
    } else {
        [[maybe_unused]] std::tuple<mistake<Js, fault_of_joint<Js>()>...> check;
        return false;
    }
}

}  // namespace attnlab::detail
