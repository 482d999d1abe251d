#pragma once

/// \file
/// Everything a model on `cpu` calls. Layers find these by their device argument.

#include <attnlab/kernels/cpu/activation.hpp>
#include <attnlab/kernels/cpu/attention.hpp>
#include <attnlab/kernels/cpu/copy.hpp>
#include <attnlab/kernels/cpu/embedding.hpp>
#include <attnlab/kernels/cpu/linear.hpp>
#include <attnlab/kernels/cpu/loss.hpp>
#include <attnlab/kernels/cpu/norm.hpp>
#include <attnlab/kernels/cpu/rms_norm.hpp>
#include <attnlab/kernels/cpu/rotary.hpp>
