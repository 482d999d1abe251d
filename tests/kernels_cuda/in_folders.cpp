// For nvcc alone: the kernels that tests/kernels_cuda/folders_test.cpp calls on a GPU, but those of in_families.cpp.
#include <attnlab/attnlab.hpp>

#ifdef ATTNLAB_DEVICE_PASS
void compile_in_folders() {
    attnlab::compile_forward_kernels<attnlab::decoder_softmax>();
    attnlab::compile_forward_kernels<attnlab::decoder_alibi>();
    attnlab::compile_forward_kernels<attnlab::decoder_sink>();
}
#endif
