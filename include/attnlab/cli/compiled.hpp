#pragma once
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/layers/embedding.hpp>
#include <attnlab/layers/linear.hpp>
#include <attnlab/layers/loss.hpp>
#include <attnlab/layers/mlp.hpp>
#include <attnlab/layers/norm.hpp>

/// \file
/// With the target attnlab::compiled, a source file compiles only what depends on its policies: the templates that are the same for all
/// of them are compiled once, in the file where ATTNLAB_COMPILE is `template`. Without the target, all is in the headers.

#ifdef ATTNLAB_COMPILED
#ifndef ATTNLAB_COMPILE
#define ATTNLAB_COMPILE extern template
#endif
namespace attnlab {
ATTNLAB_COMPILE class parameter_list<float>;
ATTNLAB_COMPILE class tensor<float, 3>;
ATTNLAB_COMPILE class linear<cpu>;
ATTNLAB_COMPILE class layer_norm<cpu>;
ATTNLAB_COMPILE class mlp<cpu>;
ATTNLAB_COMPILE class embedding<cpu>;
ATTNLAB_COMPILE class loss_head<cpu>;
ATTNLAB_COMPILE void multiply<float>(index_t, index_t, index_t, float const*, index_t, index_t, float const*, index_t, float*, index_t, bool);
}  // namespace attnlab
#undef ATTNLAB_COMPILE
#endif
