#pragma once
#include <cstddef>
#include <tuple>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/value_bias.hpp>

namespace attnlab {

/// The six attentions of 2502.06415: number `I`, 0 to 5, is (a) to (f).
template <std::size_t I>
using paper_policy = std::tuple_element_t<I, std::tuple<attention<causal, softmax>, attention<causal, softmax, value_bias>, attention<causal, softmax, context_bias>,
                                                        attention<causal, softmax, attention_bias>, attention<causal, softmax, context_scale>,
                                                        attention<causal, sigmoid_attention>>>;

}  // namespace attnlab
