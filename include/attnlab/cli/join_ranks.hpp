#pragma once
#include <memory>

#include <attnlab/core/error.hpp>
#include <attnlab/train/launch.hpp>
#include <attnlab/train/mpi_ranks.hpp>
#include <attnlab/train/ranks.hpp>

/// \file
/// The ranks of a program that trains: those that mpirun has started, or itself alone. MPI begins here and not before.

namespace attnlab {

/// \throws usage_error under an mpirun that this build does not understand
inline std::unique_ptr<ranks> join_ranks() {
    if (launched().size == 1) return std::make_unique<one_rank>();
#ifdef ATTNLAB_USE_MPI
    return std::make_unique<mpi_ranks>();
#else
    fail<usage_error>("train: ", launched().size, " processes were started together, but this attnlab was built without MPI: expected one process, or a build "
                      "where CMake finds MPI (Debian: libopenmpi-dev)");
#endif
}

}  // namespace attnlab
