#pragma once
#include <cstdlib>
#include <string>
#include <utility>

/// \file
/// What mpirun tells the processes that it starts, readable without MPI.

namespace attnlab {

/// A process's place among those started together.
struct rank_place {
    int rank = 0, size = 1;
};

namespace detail {
/// Open MPI; MPICH, Intel MPI and Slurm's pmi2; Slurm's pmix.
inline constexpr std::pair<char const*, char const*> mpirun_variables[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}, {"PMIX_RANK", "SLURM_STEP_NUM_TASKS"}};
}  // namespace detail

inline rank_place told_by_mpirun() {
    for (auto const& [rank, size] : detail::mpirun_variables)
        if (char const *r = std::getenv(rank), *n = std::getenv(size); r && n) return {std::atoi(r), std::atoi(n)};
    return {};
}

/// From here on this process, and those that it starts, are on their own.
inline void forget_mpirun() {
    for (auto const& [rank, size] : detail::mpirun_variables) ::unsetenv(rank);
}

}  // namespace attnlab
