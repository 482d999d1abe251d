#pragma once
#include <attnlab/attention/expression.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// What joints can speak of.

namespace attnlab {

namespace expr {
struct score_tag;
struct sum_tag;
struct length_tag;
struct output_tag;
struct query_tag;
struct input_tag;
struct log_normalizer_tag;
struct scale_tag;

using score_symbol = symbol<score_tag>;   ///< s_ij
using sum_symbol = symbol<sum_tag>;       ///< Z_i = sum_j summand(s_ij)
}  // namespace expr

/// Facts of a row that a weighting may use.
struct row_facts {
    /// T of the formula "... - log T": which T is a choice of the run, see `length_rule`.
    expr::symbol<expr::length_tag> length;
};

/// What an output joint may use, for query i of head h. `Output` is the formula of the joint before it.
template <expr::expression Output = expr::symbol<expr::output_tag, expr::length::head>>
struct row {
    Output output;                                                      ///< o_i (D): sum_j w_ij v_j, or what the joint before made of it
    expr::symbol<expr::query_tag, expr::length::head> query;            ///< q_i (D)
    expr::symbol<expr::input_tag, expr::length::model> input;           ///< x_i (C): what the layer was given
    expr::symbol<expr::log_normalizer_tag> log_normalizer;              ///< L_i = log Z_i
    expr::symbol<expr::scale_tag> scale;                                ///< 1 / sqrt(D)
};

/// Which number the T of a policy's formula is. The reference takes the length of the sequence at hand, so that a model trained at
/// 1024 and probed on 8 tokens is another function; `trained` keeps the function, `visible` makes it depend on the past alone.
enum class length_rule {
    sequence,   ///< positions in the batch at hand (the reference's)
    trained,    ///< the block size the model was trained with
    visible     ///< keys this query can see
};

/// The keys that a query sees: begin <= j < end.
struct key_range {
    index_t begin, end;
};

}  // namespace attnlab
