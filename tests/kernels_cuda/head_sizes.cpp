// For nvcc alone: the kernels that tests/kernels_cuda/attention_test.cpp calls on a GPU, for every size of head.
#include <attnlab/attnlab.hpp>

#include "kernels_cuda/attention_policies.hpp"

#ifdef ATTNLAB_DEVICE_PASS
void compile_head_sizes() { attnlab::testing::compile(attnlab::testing::head_sizes_on_cuda{}); }
#endif
