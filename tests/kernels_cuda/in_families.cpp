// For nvcc alone: the kernels that tests/kernels_cuda/families_test.cpp calls on a GPU.
#include <attnlab/attnlab.hpp>

#include "kernels_cuda/attention_policies.hpp"

#ifdef ATTNLAB_DEVICE_PASS
void compile_in_families() {
    attnlab::compile_for_families<attnlab::testing::in_families_on_cuda, attnlab::score_form::plain>();
    attnlab::compile_for_families<attnlab::testing::in_capped_families_on_cuda, attnlab::score_form::capped>();
}
#endif
