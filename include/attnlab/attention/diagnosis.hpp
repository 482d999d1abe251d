#pragma once
#include <initializer_list>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <attnlab/attention/joints.hpp>

/// \file
/// What may be wrong with a policy, each said in one sentence: of several faults the first alone, and a faulty policy is replaced by a
/// sound one, so that nothing follows from it. A mistake inside a member is the compiler's to report, once, at the user's own line.

namespace attnlab::detail {

/// In words: `mistake`.
enum class fault {
    none,
    no_joint,
    two_joints,
    reported,   // by the compiler, at the user's own line
    not_static,
    parameter_shape,
    no_weighting,
    two_weightings,
    weighting_parameters,
    two_masks,
    same_name,
    mask_result,
    summand_alone,
    weight_call,
    weight_result,
    no_summand,
    exp_left,
    exp_unsummed,
    exp_argument,
    exp_inside,
    score_result,
    score_parameters,
    two_token_numbers,
    prologue_result,
    output_result,
    slot_result,
    projection_place,
    undeclared,
    no_normalizer,
};

/// Stands in for the joints of a faulty policy.
template <class...>
struct any_weighting {
    static constexpr auto weight(auto s) { return s; }
};
template <class... Js>
struct policy;

/// A fault of a joint, or of a whole policy, in words.
template <class Where, fault F>
struct mistake : policy<any_weighting<Where>> {
    static_assert(F != fault::no_joint,
                  "no joint in this struct: expected one of the static members query, key, value [prologue]; score [score]; keys [mask]; "
                  "weight, share [weighting]; output [output]");
    static_assert(F != fault::two_joints, "two joints in one struct (prologue, score, mask, weighting or output): split it in two");
    static_assert(F != fault::not_static, "a member function of this joint is not static: write `static constexpr auto`");
    static_assert(F != fault::parameter_shape,
                  "parameters: a member that is no learned tensor: expected head_vector, merged_vector, shared_vector, head_map, "
                  "head_scalar, head_table or head_matrix, each with its name on disk, as head_scalar<\"sink\"> sink{zeros}");
    static_assert(F != fault::no_weighting, "weighting: this policy has none: add one, as softmax");
    static_assert(F != fault::two_weightings, "weighting: this policy has two: keep one");
    static_assert(F != fault::weighting_parameters,
                  "weighting: has no parameters: what is learned belongs in a score joint, as temperature, or in an output joint, as value_bias");
    static_assert(F != fault::two_masks, "mask: this policy has two: keep one, or join them as both<A, B>");
    static_assert(F != fault::same_name, "parameters: two of this policy have the same name on disk: rename one");
    static_assert(F != fault::mask_result,
                  "mask: expected `static constexpr key_range keys(auto i, auto T)`, its result a key_range or an array of them");
    static_assert(F != fault::summand_alone, "weighting: summand without weight: add `static constexpr auto weight(auto s, auto z)`");
    static_assert(F != fault::weight_call,
                  "weighting: weight cannot be called: expected `static constexpr auto weight(auto s, auto z)` beside a summand, else "
                  "weight(auto s); a last argument `auto row` may follow");
    static_assert(F != fault::weight_result,
                  "weighting: summand, weight or share returns no number of s: expected a formula, as exp(s) / z");
    static_assert(F != fault::no_summand,
                  "weighting: weight reads z, so it needs `static constexpr auto summand(auto s)`, whose row sum z is");
    static_assert(F != fault::exp_left, "weighting: exp(s) does not cancel in weight(s, z), so weights would overflow: divide by z");
    static_assert(F != fault::exp_unsummed, "weighting: exp(s) without a row sum overflows: write summand(s) and divide by z");
    static_assert(F != fault::exp_argument,
                  "weighting: exp wants s itself, as in exp(s): change the score by a score joint, as temperature");
    static_assert(F != fault::exp_inside,
                  "weighting: log, sqrt, tanh, sigmoid, ... of an argument in which exp(s) does not cancel overflows: divide by z, as in "
                  "exp(s) / z");
    static_assert(F != fault::score_result,
                  "score: expected `static constexpr auto score(auto s)`, or (s, at), or (s, at, p), its result a formula of s");
    static_assert(F != fault::score_parameters,
                  "score: parameters of a score are head_scalar, or head_table with lookup(table, at.distance, bucket)");
    static_assert(F != fault::two_token_numbers, "score: two different formulas in per_token or cumulative_sum: a score may have one");
    static_assert(F != fault::prologue_result,
                  "prologue: expected `static constexpr auto query(auto const& row, auto const& p)` (key, value), its result a row of D "
                  "as row.query is");
    static_assert(F != fault::output_result,
                  "output: expected `static constexpr auto output(auto const& row, auto const& p)`, its result a row of D as row.output "
                  "is");
    static_assert(F != fault::slot_result,
                  "output: expected `static constexpr auto slot_share(auto const& row, auto const& p)`, its result a number");
    static_assert(F != fault::projection_place,
                  "project(matrix, row.input) belongs in an output joint: here, write dot(row.input, p.map) of a head_map");
    static_assert(F != fault::undeclared,
                  "parameters: a formula reads a learned tensor that no joint of this policy declares: it belongs in `struct parameters` of a joint, "
                  "not static, and is read as p.name");
    static_assert(F != fault::no_normalizer, "output: row.log_normalizer needs a weighting with a row sum (summand)");
};

/// The rows that a joint changes, as the first joint of its kind meets them.
using head_row = expr::symbol<expr::source_tag, expr::length::head>;
using threshold_difference = expr::binary<expr::subtract_op, expr::score_symbol, expr::threshold_symbol>;

/// What a weighting is called with; one with parameters would read them in `row`, and is told so below instead.
template <class P>
inline constexpr bool learns_nothing = std::is_same_v<P, no_parameters>;
template <class Member, class J, class E>
inline constexpr bool taken = Member::template takes<J, arguments_t<Member, J, E>>;
/// Calls every member of a joint once, directly and before anything else does: a mistake inside is reported with the shortest history.
/// A compiler forgets a member that failed, hence `taken` first.
template <class J, class P = parameters_t<J>>
inline constexpr bool tried =
    (taken<query_member, J, head_row> &&
     (requires(query_row<> const& row, P const& p) { J::query(row, p); } || requires(query_row<> const& row) { J::query(row); })) ||
    (taken<key_member, J, head_row> &&
     (requires(key_row<> const& row, P const& p) { J::key(row, p); } || requires(key_row<> const& row) { J::key(row); })) ||
    (taken<value_member, J, head_row> &&
     (requires(value_row<> const& row, P const& p) { J::value(row, p); } || requires(value_row<> const& row) { J::value(row); })) ||
    (taken<score_member, J, expr::score_row> &&
     (requires(expr::score_row const& s, score_facts const& at, P const& p) { J::score(s, at, p); } ||
      requires(expr::score_row const& s, score_facts const& at) { J::score(s, at); } ||
      requires(expr::score_row const& s) { J::score(s); })) ||
    (taken<summand_member, J, expr::score_symbol> && requires(expr::score_symbol const& s) { J::summand(s); }) ||
    (taken<weight_member, J, expr::score_symbol> &&
     (requires(expr::score_symbol const& s, sum_of<J> const& z, row_facts const& row) { requires learns_nothing<P>; J::weight(s, z, row); } ||
      requires(expr::score_symbol const& s, sum_of<J> const& z) { requires learns_nothing<P>; J::weight(s, z); } ||
      requires(expr::score_symbol const& s) { requires learns_nothing<P>; J::weight(s); })) ||
    (taken<share_member, J, threshold_difference> && requires(threshold_difference const& u) { J::share(u); }) ||
    (taken<slot_share_member, J, head_row> &&
     (requires(row<> const& row, P const& p) { J::slot_share(row, p); } || requires(row<> const& row) { J::slot_share(row); })) ||
    (taken<output_member, J, head_row> &&
     (requires(row<> const& row, P const& p) { J::output(row, p); } || requires(row<> const& row) { J::output(row); }));

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

/// Learned rows, which a score cannot read outside the formulas of tokens.
template <class E>
consteval bool reads_learned_row() {
    bool found = false;
    if constexpr (requires { typename E::learned_tag; }) found = E::size != expr::length::scalar;
    if constexpr (!expr::is_token_number<E>::value) {
        if constexpr (requires(E e) { e.a; }) found = found || reads_learned_row<std::remove_cvref_t<decltype(E::a)>>();
        if constexpr (requires(E e) { e.b; }) found = found || reads_learned_row<std::remove_cvref_t<decltype(E::b)>>();
    }
    return found;
}

/// Whether a weight reads a z that no summand makes; takes exp of a function of s; takes another function of what grows with exp(s).
template <class E>
struct is_unsummed : std::is_base_of<expr::symbol<expr::unsummed_tag>, E> {};
template <class E>
struct is_exp_of_formula : std::false_type {};
template <class A>
struct is_exp_of_formula<expr::unary<expr::exp_op, A>>
    : std::bool_constant<expr::mentions<expr::score_tag, A> && !std::is_same_v<A, expr::score_symbol>> {};
template <class E>
struct is_function_of_exp : std::false_type {};
template <class Op, class A>
struct is_function_of_exp<expr::unary<Op, A>> : std::bool_constant<expr::degree_of<A> != 0 && expr::degree_of<expr::unary<Op, A>> == 0> {};

consteval fault first_fault(std::initializer_list<fault> faults) {
    for (fault f : faults)
        if (f != fault::none) return f;
    return fault::none;
}

/// Whether `Member` of J, if there, makes a formula of that length out of `E`.
template <class Member, class J, class E, expr::length Length = E::size>
consteval fault fault_of_member(fault wrong_call, fault wrong_result) {
    using given = arguments_t<Member, J, E>;
    if constexpr (!Member::template in<J>) {
        return fault::none;
    } else if constexpr (Member::template calls<J, given>) {
        using formula = std::remove_cvref_t<decltype(result<Member, J>(std::declval<E>()))>;
        if constexpr (!expr::expression<formula>) return wrong_result;
        else if constexpr (expr::any_part<expr::is_ill_formed, formula>()) return fault::reported;
        else return formula::size == Length ? fault::none : wrong_result;
    } else {
        return Member::template calls_on_object<J, given> ? fault::not_static
               : Member::template takes<J, given>         ? fault::reported
                                                          : wrong_call;
    }
}
template <class Member, class J, class E, expr::length Length = E::size>
consteval fault fault_of_member(fault wrong) {
    return fault_of_member<Member, J, E, Length>(wrong, wrong);
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

template <class J>
consteval fault fault_of_score() {
    constexpr fault f = fault_of_member<score_member, J, expr::score_row>(fault::score_result);
    if constexpr (f != fault::none) return f;
    else return reads_learned_row<decltype(result<score_member, J>(expr::score_row{}))>() ? fault::score_parameters : fault::none;
}

template <class E, bool Sum>
consteval fault fault_of_weight() {
    if constexpr (expr::any_part<is_unsummed, E>()) return fault::no_summand;
    else if constexpr (expr::any_part<is_exp_of_formula, E>()) return fault::exp_argument;
    else if constexpr (expr::any_part<is_function_of_exp, E>()) return fault::exp_inside;
    else if constexpr (!Sum && expr::has_degree<E>) return fault::exp_unsummed;
    else return fault::none;
}
template <class J>
consteval fault fault_of_weighting() {
    using s = expr::score_symbol;
    if constexpr (!learns_nothing<parameters_t<J>>) {
        return fault::weighting_parameters;
    } else if constexpr (names_summand<J> && !names_weight<J>) {
        return fault::summand_alone;
    } else {
        constexpr fault call =
            first_fault({fault_of_member<summand_member, J, s>(fault::weight_call, fault::weight_result),
                         fault_of_member<weight_member, J, s>(fault::weight_call, fault::weight_result),
                         fault_of_member<share_member, J, threshold_difference>(fault::weight_call, fault::weight_result)});
        if constexpr (call != fault::none) {
            return call;
        } else if constexpr (names_summand<J> && requires { J::weight(s{}); }) {
            return fault::weight_call;
        } else {
            using weight = decltype(weight_of<J>());
            constexpr fault formula =
                first_fault({fault_of_weight<decltype(summand_of<J>()), true>(), fault_of_weight<weight, names_summand<J>>()});
            return formula == fault::none && expr::degree_of<weight> != 0 ? fault::exp_left : formula;
        }
    }
}

template <class J>
consteval fault fault_of_joint() {
    if constexpr (!std::is_class_v<J>) return fault::no_joint;
    else if constexpr (joints_in<J> == 0) return fault::no_joint;
    else if constexpr (joints_in<J> > 1) return fault::two_joints;
    else if constexpr (!all_learned<parameters_t<J>>()) return fault::parameter_shape;
    else if constexpr (mask_joint<J>) return fault_of_mask<J>();
    else if constexpr (weighting_joint<J>) return fault_of_weighting<J>();
    else if constexpr (score_joint<J>) return fault_of_score<J>();
    else
        return first_fault({fault_of_member<query_member, J, head_row>(fault::prologue_result),
                            fault_of_member<key_member, J, head_row>(fault::prologue_result),
                            fault_of_member<value_member, J, head_row>(fault::prologue_result),
                            fault_of_member<output_member, J, head_row>(fault::output_result),
                            fault_of_member<slot_share_member, J, head_row, expr::length::scalar>(fault::slot_result)});
}
template <class J>
struct is_faulty : std::bool_constant<fault_of_joint<J>() != fault::none> {};

template <class... Js>
consteval bool one_token_number() {
    constexpr auto score = chained<score_member, Js...>(expr::score_row{});
    constexpr auto first = expr::token_formula(score);
    if constexpr (std::is_same_v<decltype(first), expr::no_token_number const>)
        return true;
    else
        return expr::only_token_number(score, first);
}

/// Whether the formula of the joints with `Member` has such a part.
template <template <class> class Has, class Member, class... Js, class E>
consteval bool any_in(E const& e) {
    return expr::any_part<Has, decltype(chained<Member, Js...>(e))>();
}
template <template <class> class Has, class J>
consteval bool any_in_slot() {
    if constexpr (is_slot<J>::value) return expr::any_part<Has, decltype(result<slot_share_member, J>(head_row{}))>();
    else return false;
}

template <class E>
struct is_projected : std::false_type {};
template <class M>
struct is_projected<expr::projected<M>> : std::true_type {};

/// Learned tensors whose names on disk are of no parameter of these joints.
template <class... Js>
struct undeclared_by {
    static consteval bool declared(std::string_view name) {
        return std::apply([&](auto const&... p) { return ((p.name == name) || ...); }, std::tuple_cat(members(parameters_t<Js>{})...));
    }
    template <class E>
    struct of : std::false_type {};
    template <class E>
        requires requires { typename E::learned_tag; }
    struct of<E> : std::bool_constant<!declared(E::name)> {};
    template <class Table, class Bucket>
    struct of<expr::looked_up<Table, Bucket>> : std::bool_constant<!declared(Table::name)> {};
    template <class M>
    struct of<expr::projected<M>> : std::bool_constant<!declared(M::name)> {};

    static constexpr bool any = any_in<of, query_member, Js...>(head_row{}) || any_in<of, key_member, Js...>(head_row{}) ||
                                any_in<of, value_member, Js...>(head_row{}) || any_in<of, score_member, Js...>(expr::score_row{}) ||
                                any_in<of, output_member, Js...>(head_row{}) || (any_in_slot<of, Js>() || ...);
};

template <class... Js>
consteval fault fault_of_policy() {
    if constexpr ((int{weighting_joint<Js>} + ... + 0) == 0) return fault::no_weighting;
    else if constexpr ((int{weighting_joint<Js>} + ... + 0) > 1) return fault::two_weightings;
    else if constexpr ((int{mask_joint<Js>} + ... + 0) > 1) return fault::two_masks;
    else if constexpr (!std::apply([](auto const&... p) { return distinct(p.name...); }, std::tuple_cat(members(parameters_t<Js>{})...)))
        return fault::same_name;
    else if constexpr (!one_token_number<Js...>()) return fault::two_token_numbers;
    else if constexpr (undeclared_by<Js...>::any) return fault::undeclared;
    else if constexpr (any_in<is_projected, query_member, Js...>(head_row{}) || any_in<is_projected, key_member, Js...>(head_row{}) ||
                       any_in<is_projected, value_member, Js...>(head_row{}) || any_in<is_projected, score_member, Js...>(expr::score_row{}))
        return fault::projection_place;
    else if constexpr (!(names_summand<Js> || ...) &&
                       expr::mentions<expr::log_normalizer_tag, decltype(chained<output_member, Js...>(head_row{}))>)
        return fault::no_normalizer;
    else return fault::none;
}

/// The policy of these joints; where they make none, the first mistake that is found. One that is reported already needs no words.
template <bool, class... Js>
consteval auto composed() {
    if constexpr ((is_faulty<Js>::value || ...)) {
        using joint = typename first_of<void, is_faulty, Js...>::type;
        return std::type_identity<mistake<joint, fault_of_joint<joint>()>>{};
    } else if constexpr (constexpr fault whole = fault_of_policy<Js...>(); whole != fault::none) {
        return std::type_identity<mistake<joints<Js...>, whole>>{};
    } else {
        return std::type_identity<policy<Js...>>{};
    }
}

}  // namespace attnlab::detail
