#pragma once

/// \file
/// Everything a program with policies of its own includes: the language, the policies there are, models on the cpu, observers, and
/// `experiment_main`.

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/value_bias.hpp>
#include <attnlab/cli/experiment_main.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/observe/record.hpp>
#include <attnlab/observe/reduce.hpp>
