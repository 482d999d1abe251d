#pragma once

/// \file
/// Everything a model on `ref` calls. Layers find these by their device argument.

#include <attnlab/kernels/ref/activation.hpp>
#include <attnlab/kernels/ref/attention.hpp>
#include <attnlab/kernels/ref/attention_statistics.hpp>
#include <attnlab/kernels/ref/copy.hpp>
#include <attnlab/kernels/ref/embedding.hpp>
#include <attnlab/kernels/ref/linear.hpp>
#include <attnlab/kernels/ref/loss.hpp>
#include <attnlab/kernels/ref/norm.hpp>
#include <attnlab/kernels/ref/rms_norm.hpp>
#include <attnlab/kernels/ref/rotary.hpp>
