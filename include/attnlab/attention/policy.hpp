#pragma once
// First, and directly: a mistake in a formula is shown with the whole path of this header.
#include <attnlab/attention/expression.hpp>

#include <array>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <attnlab/attention/diagnosis.hpp>

/// \file
/// The policy: a list of joints that reads in the direction of the data, `attention<rope<>, causal, softmax, attention_bias>`. Each
/// struct supplies one joint, recognised by its members, all `static constexpr`:
///   prologue   `auto query(auto const& row, auto const& p)`, `key`, `value`: what q, k, v become before the scores (D)
///   score      `auto score(auto s, auto const& at, auto const& p)`: what a score becomes
///   mask       `key_range keys(auto i, auto T)`: which keys query i sees, see attention/mask.hpp
///   weighting  `auto summand(auto s)` and `auto weight(auto s, auto z)`; without a row sum just `weight(auto s)`; a last argument
///              `auto row` gives the facts of the row. Or `auto share(auto u)`: u = s - t with t such that the row's shares add up to 1
///   output     `auto output(auto const& row, auto const& p)`: the head's result (D);
///              `slot_share(row, p)` if it takes a share of the weights away from the keys
/// `struct parameters` in a joint is what it learns; trailing arguments may be left out. Joints of one kind are applied in the order
/// given (masks and weightings: one each). Faults are named by attention/diagnosis.hpp.

namespace attnlab {

namespace detail {

/// All that kernels, layers and programs ask of a policy, read off its joints.
template <class... Js>
struct policy {
    using mask = typename first_of<full, is_mask, Js...>::type;
    using weighting = typename first_of<void, is_weighting, Js...>::type;

    /// Formulas of the prologue: what q, k and v become (D).
    static constexpr auto query = chained<query_member, Js...>(expr::symbol<expr::source_tag, expr::length::head>{});
    static constexpr auto key = chained<key_member, Js...>(expr::symbol<expr::source_tag, expr::length::head>{});
    static constexpr auto value = chained<value_member, Js...>(expr::symbol<expr::source_tag, expr::length::head>{});
    static constexpr bool has_query = (names_query<Js> || ...), has_key = (names_key<Js> || ...), has_value = (names_value<Js> || ...);

    /// Formula of the score joints.
    static constexpr auto score = chained<score_member, Js...>(expr::score_row{});
    static constexpr bool has_score = (names_score<Js> || ...);
    /// The formula of the score's token numbers, if it has any.
    static constexpr auto tokens = expr::token_formula(score);
    static constexpr bool has_tokens = !std::is_same_v<std::remove_const_t<decltype(tokens)>, expr::no_token_number>;

    /// Formulas of the weighting. One pass over the keys is enough where weight = f(s) g(z); a threshold is solved for row by row.
    static constexpr auto summand = summand_of<weighting>();
    static constexpr auto weight = weight_of<weighting>();
    static constexpr auto factors = expr::separate(weight);
    static constexpr bool has_threshold = names_share<weighting>;
    static constexpr bool has_sum = names_summand<weighting>;
    static constexpr bool one_pass = !has_threshold && decltype(factors)::separates;

    /// Formula of the output joints, one after the other; row.output itself when there are none.
    static constexpr auto output = chained<output_member, Js...>(expr::symbol<expr::source_tag, expr::length::head>{});
    static constexpr bool has_output = (names_output<Js> || ...);

    using slot_joint = typename first_of<void, is_slot, Js...>::type;
    static constexpr bool has_slot = !std::is_void_v<slot_joint>;
    static constexpr auto slot() { return result<slot_share_member, slot_joint>(head_row{}); }

    /// What the policy learns, in order.
    static constexpr auto parameters = std::tuple_cat(members(parameters_t<Js>{})...);
    static constexpr std::size_t parameter_count = std::tuple_size_v<std::remove_const_t<decltype(parameters)>>;
    static constexpr auto parameter_names =
        std::apply([](auto const&... p) { return std::array<std::string_view, parameter_count>{p.name...}; }, parameters);

    /// Where `Name` stands among the parameters.
    static constexpr std::size_t position_of(std::string_view name) {
        for (std::size_t i = 0; i < parameter_count; ++i)
            if (parameter_names[i] == name) return i;
        return parameter_count;
    }

private:
    template <template <class> class Has>
    static constexpr bool any_row = expr::any_part<Has, decltype(query)>() || expr::any_part<Has, decltype(key)>() ||
                                    expr::any_part<Has, decltype(value)>() || expr::any_part<Has, decltype(score)>() ||
                                    expr::any_part<Has, decltype(output)>();
    template <class Tag>
    static constexpr bool in_rows = any_row<expr::has_tag<Tag>::template of>;
    template <class E>
    struct is_stop : std::false_type {};
    template <class A>
    struct is_stop<expr::unary<expr::stop_gradient_op, A>> : std::true_type {};

public:
    static constexpr bool has_prologue = has_query || has_key || has_value;
    /// Whether a formula reads T or the number of visible keys, in a row; whether any reads the T of `length_rule`.
    static constexpr bool rows_read_lengths = in_rows<expr::length_tag> || in_rows<expr::visible_tag>;
    static constexpr bool reads_length = in_rows<expr::length_tag> || expr::mentions<expr::length_tag, decltype(weight)>;
    /// Whether the weighting itself reads the number of visible keys; whether it reads that or T.
    static constexpr bool weight_reads_visible = expr::mentions<expr::visible_tag, decltype(weight)>;
    static constexpr bool weight_reads_lengths = expr::mentions<expr::length_tag, decltype(weight)> || weight_reads_visible;
    /// Whether the output joints read L = log Z. Where they do not, a row may have Z = 0.
    static constexpr bool reads_log_normalizer = expr::mentions<expr::log_normalizer_tag, decltype(output)>;
    /// Whether the output joints read products of a head_matrix.
    static constexpr bool has_projections = expr::any_part<is_projected, decltype(output)>();
    /// Whether x is summed in products with rows of head_maps, and in no other way: they may be one matrix product for all heads and tokens.
    static constexpr bool has_input_products =
        any_row<expr::is_input_product> && !any_row<expr::is_other_sum_of_width> && !expr::reads_input_beside_tokens<std::remove_const_t<decltype(score)>>();
    /// Whether heads of one token may add to the same gradient by x.
    static constexpr bool adds_to_input = in_rows<expr::input_tag> && !has_input_products;
    /// Whether an output joint reads the query.
    static constexpr bool output_reads_query = expr::mentions<expr::query_tag, decltype(output)>;
    /// Whether x is read, the layer's input; and whether its part that belongs to a head.
    static constexpr bool reads_head_input = in_rows<expr::head_input_tag>;
    static constexpr bool reads_input = in_rows<expr::input_tag> || reads_head_input || has_projections;
    /// Whether rows read x themselves, beside products of x that may be made for all heads and tokens at once.
    static constexpr bool rows_read_input = adds_to_input || reads_head_input;
    /// Whether a formula holds back a gradient on purpose.
    static constexpr bool stops_gradient = any_row<is_stop> || expr::any_part<is_stop, decltype(weight)>();
    /// Whether k or v is changed by numbers that belong to a query head: then grouped queries make no sense.
    static constexpr bool keys_have_heads = expr::any_part<reads_head, decltype(key)>() || expr::any_part<reads_head, decltype(value)>();
};

}  // namespace detail

/// An attention policy, composed of joints.
template <class... Joints>
struct attention : decltype(detail::composed<(detail::tried<Joints> && ...), Joints...>())::type {};

}  // namespace attnlab
