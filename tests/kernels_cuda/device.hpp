#pragma once

/// \file
/// The device that these tests are compiled for: the emulation, or a GPU, with the same cases.

#ifdef ATTNLAB_TESTS_ON_GPU
#include <attnlab/kernels/cuda/declared.hpp>
namespace attnlab::testing {
using device = cuda;
inline constexpr bool is_real_gpu = true;   ///< whose library multiplies as it likes
}
#else
#include <attnlab/kernels/cuda/kernels.hpp>
namespace attnlab::testing {
using device = emulated_cuda;
inline constexpr bool is_real_gpu = false;
}
#endif
