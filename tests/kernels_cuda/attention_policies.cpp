// For nvcc alone: the kernels that tests/kernels_cuda/attention_test.cpp calls on a GPU.
#include <attnlab/attnlab.hpp>

#include "kernels_cuda/attention_policies.hpp"

#ifdef ATTNLAB_DEVICE_PASS
namespace {
template <class... Policies>
void compile(std::tuple<Policies...>) {
    (attnlab::compile_kernels<Policies>(), ...);
}
[[maybe_unused]] void compile_all() {
    compile(attnlab::testing::weightings_on_cuda{});
    compile(attnlab::testing::joints_on_cuda{});
    attnlab::compile_in_family<attnlab::score_form::plain, attnlab::testing::in_families_on_cuda>();
    attnlab::compile_in_family<attnlab::score_form::capped, attnlab::testing::in_families_on_cuda>();
}
}  // namespace
#endif
