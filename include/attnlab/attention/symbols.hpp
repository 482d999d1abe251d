#pragma once
#include <array>

#include <attnlab/attention/expression.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// What joints can speak of.

namespace attnlab {

namespace expr {
struct score_tag;            // s_ij in a weighting
struct sum_tag;              // Z_i
struct plain_sum_tag;        // Z_i of a summand without exp(s), which does not ride with the row's reference
struct threshold_tag;        // t_i
struct unsummed_tag;         // what stands where a Z_i without a summand would be
struct source_tag;           // what a joint changes: q, k or v; the raw scores; o
struct query_tag;
struct input_tag;
struct head_input_tag;
struct log_normalizer_tag;
struct scale_tag;
struct length_tag;
struct visible_tag;
struct head_size_tag;
struct head_tag;
struct heads_tag;
struct position_tag;         // of the row: i in a score
struct key_position_tag;     // j
struct distance_tag;         // i - j

using score_symbol = symbol<score_tag>;          ///< s_ij
using sum_symbol = symbol<sum_tag>;              ///< Z_i = sum_j summand(s_ij)
using plain_sum_symbol = symbol<plain_sum_tag>;
using threshold_symbol = symbol<threshold_tag>;  ///< t_i: sum_j share(s_ij - t_i) = 1
/// A formula of either sum mentions `sum_tag`.
template <>
struct has_tag<sum_tag> {
    template <class E>
    struct of : std::false_type {};
    template <class Tag, length N>
    struct of<symbol<Tag, N>> : std::bool_constant<std::is_same_v<Tag, sum_tag> || std::is_same_v<Tag, plain_sum_tag>> {};
};
using score_row = symbol<source_tag, length::keys>;

/// dot(x, w), of the layer's input and a row that is learned for it; and any other sum over the width.
template <class E>
struct is_input_product : std::false_type {};
template <class W>
    requires requires { typename W::learned_tag; }
struct is_input_product<inner<symbol<input_tag, length::model>, W>> : std::true_type {};
template <class W>
    requires requires { typename W::learned_tag; }
struct is_input_product<inner<W, symbol<input_tag, length::model>>> : std::true_type {};
template <class E>
struct is_other_sum_of_width : std::false_type {};
template <class A, class B>
struct is_other_sum_of_width<inner<A, B>> : std::bool_constant<A::size == length::model && !is_input_product<inner<A, B>>::value> {};

/// The two numbers of a row that weightings may read.
struct row_lengths {
    double length, visible;
};

/// A number that depends on the head alone: F{}(h, H).
template <class F>
struct head_function {
    using expression_tag = void;
    static constexpr length size = length::scalar;
};
}  // namespace expr

/// Facts of every row.
struct facts {
    expr::symbol<expr::length_tag> length;         ///< T of the formula "... - log T": which T is a choice of the run, see `length_rule`
    expr::symbol<expr::visible_tag> visible;       ///< n_i: how many keys the query sees
    expr::symbol<expr::head_size_tag> head_size;   ///< D
    expr::symbol<expr::scale_tag> scale;           ///< 1 / sqrt(D)
    expr::symbol<expr::head_tag> head;             ///< h = 0 .. H - 1
    expr::symbol<expr::heads_tag> heads;           ///< H
    expr::symbol<expr::position_tag> position;     ///< of the row, from 0

    /// f(h, H), a number known before the rows are walked; f without captures: `row.of_head([](double h, double H) { ... })`.
    template <class F>
    constexpr auto of_head(F) const {
        constexpr bool type_says_all = std::is_empty_v<F> && std::is_default_constructible_v<F>;
        static_assert(type_says_all, "of_head(f): a function without captures: kernels know its type alone");
        if constexpr (type_says_all) return expr::head_function<F>{};
        else return expr::ill_formed{};
    }
};

/// What a weighting may use beside s and z. It stands in for a z that has no summand, so that the mistake can be named.
struct row_facts : expr::symbol<expr::unsummed_tag> {
    expr::symbol<expr::length_tag> length;
    expr::symbol<expr::visible_tag> visible;
};

/// What a prologue joint may use for one token of one head, `Current` being what the joints before made of its row (D).
struct token_facts : facts {
    expr::symbol<expr::input_tag, expr::length::model> input;            ///< x_t (C): what the layer was given
    expr::symbol<expr::head_input_tag, expr::length::head> head_input;   ///< the head's D of x_t, where C = H D
};
template <expr::expression Current = expr::symbol<expr::source_tag, expr::length::head>>
struct query_row : token_facts {
    Current query;   ///< q_t
    constexpr explicit query_row(Current const& c = {}) : query(c) {}
};
template <expr::expression Current = expr::symbol<expr::source_tag, expr::length::head>>
struct key_row : token_facts {
    Current key;   ///< k_t
    constexpr explicit key_row(Current const& c = {}) : key(c) {}
};
template <expr::expression Current = expr::symbol<expr::source_tag, expr::length::head>>
struct value_row : token_facts {
    Current value;   ///< v_t
    constexpr explicit value_row(Current const& c = {}) : value(c) {}
};

/// What a score joint may use beside s: query i = `position`, and of each key j of its row.
struct score_facts : facts {
    expr::symbol<expr::key_position_tag, expr::length::keys> key_position;   ///< j
    expr::symbol<expr::distance_tag, expr::length::keys> distance;           ///< i - j
    /// x_t (C) of a token, for `cumulative_sum` and `per_token`
    expr::symbol<expr::input_tag, expr::length::model> input;
};

/// What an output joint may use, for query i of head h. `Output` is the formula of the joint before it.
template <expr::expression Output = expr::symbol<expr::source_tag, expr::length::head>>
struct row : token_facts {
    Output output;                                             ///< o_i (D): sum_j w_ij v_j, or what the joint before made of it
    expr::symbol<expr::query_tag, expr::length::head> query;   ///< q_i (D), as the scores see it
    expr::symbol<expr::log_normalizer_tag> log_normalizer;     ///< L_i = log Z_i
    constexpr explicit row(Output const& o = {}) : output(o) {}
};

/// Which number the T of a policy's formula is. The reference takes the length of the sequence at hand, so that a model trained at
/// 1024 and probed on 8 tokens is another function; `trained` keeps the function, `visible` makes it depend on the past alone.
enum class length_rule {
    sequence,   ///< positions in the batch at hand (the reference's)
    trained,    ///< the block size the model was trained with
    visible     ///< keys this query can see
};

/// Keys of a query's row: begin <= j < end.
struct key_range {
    index_t begin, end;
    friend constexpr bool operator==(key_range, key_range) = default;
};

}  // namespace attnlab
