#pragma once

/// \file
/// Everything a program with policies of its own includes: the language, the policies there are, models on the cpu, observers, and
/// `experiment_main`.

#include <attnlab/attention/library.hpp>
#include <attnlab/cli/experiment_main.hpp>
#ifndef ATTNLAB_DEVICE_PASS
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/observe/record.hpp>
#include <attnlab/observe/reduce.hpp>
#endif
