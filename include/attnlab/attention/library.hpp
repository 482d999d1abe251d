#pragma once
#include <attnlab/attention/alibi.hpp>
#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/clipped_softmax.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/elu_attention.hpp>
#include <attnlab/attention/forgetting.hpp>
#include <attnlab/attention/head_gate.hpp>
#include <attnlab/attention/head_input_gate.hpp>
#include <attnlab/attention/kerple.hpp>
#include <attnlab/attention/key_bias.hpp>
#include <attnlab/attention/laser.hpp>
#include <attnlab/attention/learned_bias.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/normalized_sigmoid.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/qk_norm.hpp>
#include <attnlab/attention/refused.hpp>
#include <attnlab/attention/relu_attention.hpp>
#include <attnlab/attention/relu_squared.hpp>
#include <attnlab/attention/rope.hpp>
#include <attnlab/attention/scalable_softmax.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>
#include <attnlab/attention/sink.hpp>
#include <attnlab/attention/soft_cap.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/softmax1.hpp>
#include <attnlab/attention/softpick.hpp>
#include <attnlab/attention/softplus_attention.hpp>
#include <attnlab/attention/sparsemax.hpp>
#include <attnlab/attention/t5_bias.hpp>
#include <attnlab/attention/temperature.hpp>
#include <attnlab/attention/value_bias.hpp>
#include <attnlab/attention/value_gate.hpp>
#include <attnlab/attention/value_scale.hpp>

/// \file
/// Every joint of the library, and `attention<...>` to compose them.
///   prologue   rope, rope_linear, rope_llama3; qk_norm, qk_norm_l2; value_gate, value_scale; laser_exp
///   score      temperature, scalable_softmax, soft_cap, alibi, t5_bias, kerple, forgetting, learned_bias
///   mask       causal, full, sliding_window, sink_window, prefix, document, dilated_window, both
///   weighting  softmax, softmax1, clipped_softmax, clipped_softmax_by_length, softpick, sparsemax, entmax15, sigmoid_attention,
///              plain_sigmoid, normalized_sigmoid, relu_attention, relu_squared, elu_attention, softplus_attention
///   output     value_bias, context_bias, attention_bias, key_bias, sink, context_scale, head_gate, element_gate, head_input_gate;
///              laser_log
/// What does not fit, and why: refused.hpp.
