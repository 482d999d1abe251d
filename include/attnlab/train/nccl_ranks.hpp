#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/train/ranks.hpp>

/// \file
/// Ranks whose gradients lie in the memory of GPUs, one GPU a rank. Links where CMake finds NCCL.

namespace attnlab {

/// Gradients by NCCL, beside the kernels; all else by `host`, which must outlive it, as mpi_ranks. With the same GPUs and NCCL settings the
/// order of a sum is fixed, and with it the bits.
class nccl_ranks final : public ranks {
public:
    /// \throws error naming the call of NCCL
    explicit nccl_ranks(ranks& host) : host_(&host), group_(name_of(host), host.rank(), host.size()) {}

    int rank() const override { return host_->rank(); }
    int size() const override { return host_->size(); }

    bool follows_kernels() const override { return true; }
    void begin_sum(std::span<float> x) override { group_.begin_sum(x); }
    void begin_sum(std::span<double> x) override { group_.begin_sum(x); }
    /// The host waits too, as it goes on with the norm.
    void finish_sums() override {
        auto const from = std::chrono::steady_clock::now();
        group_.finish_sums();
        waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    }

    void sum(std::span<double> x) override { host_->sum(x); }
    void broadcast(std::span<std::byte> x) override { host_->broadcast(x); }
    void first_alone(std::function<void()> const& work) override { host_->first_alone(work); }
    void if_lost(std::string line) override { host_->if_lost(std::move(line)); }
    double seconds_waited() const override { return waited_; }

private:
    static gpu_group::name name_of(ranks& host) {
        gpu_group::name n{};
        if (host.rank() == 0) n = gpu_group::new_name();
        host.broadcast(n);
        return n;
    }

    ranks* host_;
    gpu_group group_;
    double waited_ = 0;
};

}  // namespace attnlab
