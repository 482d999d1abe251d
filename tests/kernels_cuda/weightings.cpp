// For nvcc alone: the kernels that tests/kernels_cuda/attention_test.cpp calls on a GPU, of every kind of weight.
#include <attnlab/attnlab.hpp>

#include "kernels_cuda/attention_policies.hpp"

#ifdef ATTNLAB_DEVICE_PASS
void compile_weightings() { attnlab::testing::compile(attnlab::testing::weightings_on_cuda{}); }
#endif
