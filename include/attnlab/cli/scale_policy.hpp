#pragma once
#include <attnlab/analysis/interventions/scale_obstacle.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/elu_attention.hpp>
#include <attnlab/attention/head_gate.hpp>
#include <attnlab/attention/normalized_sigmoid.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/softplus_attention.hpp>
#include <attnlab/attention/value_bias.hpp>

/// \file
/// Under which policies a sink can be read as a scale (sink_as_scale.hpp): o_i = (1 - a_i) o_rest + a_i v_sink needs weights that sum to 1,
/// and a change of o_i must be one of the head's result.

namespace attnlab {

/// Whether the weights of a row sum to 1. Yours: specialise it.
template <class Weighting>
inline constexpr bool weights_sum_to_one = detail::names_share<Weighting>;
template <>
inline constexpr bool weights_sum_to_one<softmax> = true;
template <>
inline constexpr bool weights_sum_to_one<normalized_sigmoid> = true;
template <>
inline constexpr bool weights_sum_to_one<elu_attention> = true;
template <>
inline constexpr bool weights_sum_to_one<softplus_attention> = true;

/// Whether an output joint is y = f o + g with f a number of head and query, and f, g independent of o. Yours: specialise it.
template <class Joint>
inline constexpr bool scales_whole_heads = !detail::names_output<Joint>;
template <>
inline constexpr bool scales_whole_heads<value_bias> = true;
template <>
inline constexpr bool scales_whole_heads<context_bias> = true;
template <>
inline constexpr bool scales_whole_heads<context_scale> = true;
template <>
inline constexpr bool scales_whole_heads<head_gate> = true;

namespace detail {
template <class Policy>
struct obstacle_of {   // a type of one's own around a policy
    static constexpr scale_obstacle value = scale_obstacle::output;
};
template <class... Joints>
struct obstacle_of<attention<Joints...>> {
    using policy = attention<Joints...>;
    static constexpr scale_obstacle value = [] {
        if (policy::has_prologue) return scale_obstacle::prologue;
        if (!weights_sum_to_one<typename policy::weighting>) return scale_obstacle::weights;
        if (policy::has_slot) return scale_obstacle::slot;
        return (scales_whole_heads<Joints> && ...) ? scale_obstacle::none : scale_obstacle::output;
    }();
};
}  // namespace detail

/// What keeps the sinks of `Policy` from being read as scales.
template <class Policy>
inline constexpr scale_obstacle obstacle_to_scale = detail::obstacle_of<Policy>::value;

}  // namespace attnlab
