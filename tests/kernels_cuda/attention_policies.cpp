// For nvcc alone: the kernels that tests/kernels_cuda call on a GPU.
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
    attnlab::compile_for_families<attnlab::testing::in_families_on_cuda, attnlab::score_form::plain>();
    attnlab::compile_for_families<attnlab::testing::in_capped_families_on_cuda, attnlab::score_form::capped>();
    attnlab::compile_forward_kernels<attnlab::decoder_softmax>();
    attnlab::compile_forward_kernels<attnlab::decoder_alibi>();
    attnlab::compile_forward_kernels<attnlab::decoder_sink>();
}
}  // namespace
#endif
