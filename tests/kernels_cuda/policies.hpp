#pragma once
#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>

/// \file
/// The policies that these tests run models of: nvcc compiles their kernels from the same list (policies.cpp).

namespace attnlab::testing {

using with_slot = attention<causal, softmax, attention_bias>;

}  // namespace attnlab::testing
