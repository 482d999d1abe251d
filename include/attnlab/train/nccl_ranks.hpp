#pragma once
#ifdef ATTNLAB_USE_NCCL
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <attnlab/core/error.hpp>
#include <attnlab/train/ranks.hpp>

/// \file
/// Ranks whose gradients lie in the memory of GPUs, one GPU a rank. Compiled where ATTNLAB_USE_NCCL is defined.

namespace attnlab {

/// Gradients by NCCL, on a stream beside the one that computes; all else by `host`, which must outlive it, as mpi_ranks. With the same GPUs and
/// NCCL settings the order of a sum is fixed, and with it the bits.
class nccl_ranks final : public ranks {
public:
    /// The current device's. \param compute  the stream that fills the gradients \throws error naming the call
    explicit nccl_ranks(ranks& host, cudaStream_t compute = nullptr) : host_(&host), compute_(compute) {
        ncclUniqueId id{};
        if (host.rank() == 0) check(ncclGetUniqueId(&id), "ncclGetUniqueId");
        host.broadcast(std::as_writable_bytes(std::span(&id, 1)));
        check(cudaStreamCreateWithFlags(&carry_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
        check(cudaEventCreateWithFlags(&filled_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
        check(ncclCommInitRank(&all_, host.size(), id, host.rank()), "ncclCommInitRank");
    }
    /// One that fails does not wait for the others.
    ~nccl_ranks() override {
        if (std::uncaught_exceptions() > 0) ncclCommAbort(all_);
        else ncclCommDestroy(all_);
        cudaEventDestroy(filled_);
        cudaStreamDestroy(carry_);
    }
    nccl_ranks(nccl_ranks const&) = delete;
    nccl_ranks& operator=(nccl_ranks const&) = delete;

    int rank() const override { return host_->rank(); }
    int size() const override { return host_->size(); }

    void begin_sum(std::span<float> x) override { begin(x.data(), x.size(), ncclFloat32); }
    void begin_sum(std::span<double> x) override { begin(x.data(), x.size(), ncclFloat64); }
    /// The host waits too, as it goes on with the norm; a rank that is lost shows as an error of the communicator.
    void finish_sums() override {
        auto const from = std::chrono::steady_clock::now();
        for (cudaError_t state; (state = cudaStreamQuery(carry_)) != cudaSuccess;) {
            if (state != cudaErrorNotReady) check(state, "a sum");
            ncclResult_t problem = ncclSuccess;
            check(ncclCommGetAsyncError(all_, &problem), "ncclCommGetAsyncError");
            check(problem, "a sum");
            std::this_thread::yield();
        }
        waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    }

    void sum(std::span<double> x) override { host_->sum(x); }
    void broadcast(std::span<std::byte> x) override { host_->broadcast(x); }
    void first_alone(std::function<void()> const& work) override { host_->first_alone(work); }
    void if_lost(std::string line) override { host_->if_lost(std::move(line)); }
    double seconds_waited() const override { return waited_; }

private:
    static void check(ncclResult_t code, char const* what) { require(code == ncclSuccess, "NCCL: ", what, ": ", ncclGetErrorString(code)); }
    static void check(cudaError_t code, char const* what) { require(code == cudaSuccess, "CUDA: ", what, ": ", cudaGetErrorString(code)); }

    /// After what the computing stream has been given so far, beside what it is given next.
    template <class T>
    void begin(T* x, std::size_t n, ncclDataType_t type) {
        check(cudaEventRecord(filled_, compute_), "cudaEventRecord");
        check(cudaStreamWaitEvent(carry_, filled_, 0), "cudaStreamWaitEvent");
        check(ncclAllReduce(x, x, n, type, ncclSum, all_, carry_), "ncclAllReduce");
    }

    ranks* host_;
    cudaStream_t compute_, carry_ = nullptr;
    cudaEvent_t filled_ = nullptr;
    ncclComm_t all_ = nullptr;
    double waited_ = 0;
};

}  // namespace attnlab
#endif
