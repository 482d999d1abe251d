#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/train/gradient_carrier.hpp>
#include <attnlab/train/mpi_ranks.hpp>
#include <attnlab/train/mpirun.hpp>
#include <attnlab/train/nccl_ranks.hpp>
#include <attnlab/train/ranks.hpp>

/// \file
/// The ranks of a program that trains: those that mpirun has started, or itself alone. MPI begins here and not before.

namespace attnlab {

/// \throws usage_error under an mpirun that this build does not understand
inline std::unique_ptr<ranks> join_ranks() {
    if (told_by_mpirun().size == 1) return std::make_unique<one_rank>();
#ifdef ATTNLAB_USE_MPI
    return std::make_unique<mpi_ranks>();
#else
    fail<usage_error>("train: ", told_by_mpirun().size, " processes were started together, but this attnlab was built without MPI: expected one process, or a build "
                      "where CMake finds MPI (Debian: libopenmpi-dev)");
#endif
}

/// Ranks that were told different things are runs beside each other, which mpirun does not make one. \throws usage_error on those that differ from
/// rank 0
inline void expect_alike(ranks& all, std::string const& options) {
    std::uint64_t const own = std::hash<std::string>{}(options);
    std::uint64_t first = own;
    broadcast(all, std::span(&first, 1));
    if (first != own)
        fail<usage_error>("train: the options are not those of rank 0: expected the same for all ranks of mpirun; runs beside each other are started without it, or by "
                          "env -u OMPI_COMM_WORLD_RANK");
}

/// Ranks, and who carries gradients between them. \param host  must outlive it
class carried_ranks {
public:
    carried_ranks(ranks& host, [[maybe_unused]] std::string const& device) : all_(&host) {
        if (host.size() == 1) return;
        std::vector<gpu_id> gpus;
        bool has_nccl = false;
#ifdef ATTNLAB_USE_CUDA
        if (device == "cuda") gpus = gather(host, use_gpu().id);
#endif
#ifdef ATTNLAB_USE_NCCL
        has_nccl = true;
#endif
        auto const carrier = choose_carrier(gpus, has_nccl);
        text_ = carrier.text;
#ifdef ATTNLAB_USE_NCCL
        if (!carrier.by_nccl) return;
        nccl_ = std::make_unique<nccl_ranks>(host);
        all_ = nccl_.get();
        text_ += " " + gpu_group::nccl_version();
#endif
    }
    ranks& all() const { return *all_; }
    std::string const& carrier() const { return text_; }   ///< empty for a process alone

private:
    ranks* all_;
    std::unique_ptr<ranks> nccl_;
    std::string text_;
};

}  // namespace attnlab
