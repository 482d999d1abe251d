#pragma once
#ifndef __CUDACC__
#error "attnlab/kernels/cuda/nccl.hpp: for nvcc; C++ files see kernels/cuda/declared.hpp"
#endif
#include <cuda_runtime.h>
#include <nccl.h>

#include <cstring>
#include <exception>
#include <thread>

#include <attnlab/core/error.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/kernels/cuda/launch.hpp>

/// \file
/// `gpu_group`, by NCCL: sums on a stream beside the kernels'. Include it in exactly one CUDA source file of a program, as
/// attnlab_add_compiled in CMake does where it finds NCCL.

namespace attnlab {

namespace gpu {
inline void check(ncclResult_t code, char const* what) { require(code == ncclSuccess, "NCCL: ", what, ": ", ncclGetErrorString(code)); }
}  // namespace gpu

struct gpu_group::state {
    cudaStream_t carry = nullptr;
    cudaEvent_t filled = nullptr;
    ncclComm_t all = nullptr;

    state(ncclUniqueId const& id, int rank, int size) {
        gpu::check(cudaStreamCreateWithFlags(&carry, cudaStreamNonBlocking), "a stream");
        gpu::check(cudaEventCreateWithFlags(&filled, cudaEventDisableTiming), "an event");
        gpu::check(ncclCommInitRank(&all, size, id, rank), "ncclCommInitRank");
    }
    ~state() {
        if (all) std::uncaught_exceptions() > 0 ? ncclCommAbort(all) : ncclCommDestroy(all);
        cudaEventDestroy(filled);
        cudaStreamDestroy(carry);
    }
    void begin(void* x, std::size_t n, ncclDataType_t type) {
        gpu::check(cudaEventRecord(filled, gpu::stream()), "an event");
        gpu::check(cudaStreamWaitEvent(carry, filled, 0), "an event");
        gpu::check(ncclAllReduce(x, x, n, type, ncclSum, all, carry), "ncclAllReduce");
    }
};

gpu_group::name gpu_group::new_name() {
    ncclUniqueId id{};
    gpu::check(ncclGetUniqueId(&id), "ncclGetUniqueId");
    name n;
    static_assert(sizeof id == sizeof n);
    std::memcpy(n.data(), &id, sizeof id);
    return n;
}
std::string gpu_group::nccl_version() {
    int v = 0;
    gpu::check(ncclGetVersion(&v), "ncclGetVersion");
    return text(v / 10000, '.', v / 100 % 100, '.', v % 100);
}
gpu_group::gpu_group(name const& n, int rank, int size) {
    ncclUniqueId id;
    std::memcpy(&id, n.data(), sizeof id);
    state_ = std::make_unique<state>(id, rank, size);
}
gpu_group::~gpu_group() = default;
void gpu_group::begin_sum(std::span<float> x) { state_->begin(x.data(), x.size(), ncclFloat32); }
void gpu_group::begin_sum(std::span<double> x) { state_->begin(x.data(), x.size(), ncclFloat64); }
void gpu_group::finish_sums() {
    for (cudaError_t status; (status = cudaStreamQuery(state_->carry)) != cudaSuccess; std::this_thread::yield()) {
        if (status != cudaErrorNotReady) gpu::check(status, "a sum");
        ncclResult_t problem = ncclSuccess;
        gpu::check(ncclCommGetAsyncError(state_->all, &problem), "ncclCommGetAsyncError");
        gpu::check(problem, "a sum");
    }
}

}  // namespace attnlab
