#pragma once
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>

/// \file
/// How many threads a rank takes where several share a machine.

namespace attnlab {

struct thread_counts {
    int together;   ///< while all ranks compute
    int alone;      ///< while the others of the machine wait
};

/// The cores of this machine in equal shares, unless OMP_NUM_THREADS or a binding says otherwise. The binding that Open MPI's mpirun makes
/// of two ranks unasked, one core each, is taken off: it is meant for ranks without threads.
inline thread_counts rank_threads(int local_ranks) {
    if (std::getenv("OMP_NUM_THREADS")) return {omp_get_max_threads(), omp_get_max_threads()};
    int const own = omp_get_num_procs(), one_core = 2;   // hardware threads
    bool const unasked = own <= one_core && std::getenv("OMPI_MCA_orte_bound_at_launch") && !std::getenv("OMPI_MCA_hwloc_base_binding_policy");
    cpu_set_t before, every;
    bool const known = sched_getaffinity(0, sizeof before, &before) == 0;
    for (int i = 0; i < CPU_SETSIZE; ++i) CPU_SET(i, &every);
    if (known) sched_setaffinity(0, sizeof every, &every);   // as many as the system allows
    int const all = omp_get_num_procs();
    if (known && !unasked) sched_setaffinity(0, sizeof before, &before);
    int const allowed = unasked ? all : own;
    return {std::clamp(all / local_ranks, 1, allowed), allowed};
}

}  // namespace attnlab
