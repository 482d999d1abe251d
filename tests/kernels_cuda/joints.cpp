// For nvcc alone: the kernels that tests/kernels_cuda/attention_test.cpp calls on a GPU, of every kind of joint.
#include <attnlab/attnlab.hpp>

#include "kernels_cuda/attention_policies.hpp"

#ifdef ATTNLAB_DEVICE_PASS
void compile_joints() { attnlab::testing::compile(attnlab::testing::joints_on_cuda{}), attnlab::testing::compile(attnlab::testing::prologues_of_input_on_cuda{}); }
#endif
