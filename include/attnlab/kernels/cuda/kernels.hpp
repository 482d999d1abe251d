#pragma once

/// \file
/// Everything a model on `cuda` (under nvcc) or `emulated_cuda` calls. Layers find these by their device argument.

#include <attnlab/kernels/cuda/activation.hpp>
#include <attnlab/kernels/cuda/attention.hpp>
#include <attnlab/kernels/cuda/copy.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/kernels/cuda/embedding.hpp>
#include <attnlab/kernels/cuda/linear.hpp>
#include <attnlab/kernels/cuda/loss.hpp>
#include <attnlab/kernels/cuda/norm.hpp>
#include <attnlab/kernels/cuda/optimizer.hpp>
#include <attnlab/kernels/cuda/rms_norm.hpp>
#include <attnlab/kernels/cuda/rotary.hpp>
