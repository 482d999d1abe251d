#pragma once
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/layers/embedding.hpp>
#include <attnlab/layers/linear.hpp>
#include <attnlab/layers/loss.hpp>
#include <attnlab/layers/mlp.hpp>
#include <attnlab/layers/norm.hpp>

/// \file
/// With the target attnlab::compiled, a source file compiles only what depends on its policies; without it, all of the headers.

#ifdef ATTNLAB_COMPILED
#define ATTNLAB_COMPILE extern template
#include <attnlab/compiled.inc>
#undef ATTNLAB_COMPILE
#endif
