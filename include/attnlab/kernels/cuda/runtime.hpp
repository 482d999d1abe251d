#pragma once
#ifdef __CUDACC__
#include <cuda_runtime.h>
#include <thrust/mr/disjoint_sync_pool.h>
#include <thrust/mr/new.h>
#include <thrust/system/cuda/memory_resource.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include <attnlab/core/error.hpp>
#include <attnlab/core/memory.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/kernels/cuda/launch.hpp>

/// \file
/// The GPU of a process: which it is, and memory that it and the host see. Include it in exactly one CUDA source file of a program, as
/// attnlab_add_compiled in CMake does.

namespace attnlab {

namespace gpu {

inline std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

/// The number of this process among those that an mpirun has started on this machine: each takes a GPU of its own.
inline int rank_on_machine() {
    for (char const* name : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"})
        if (char const* const value = std::getenv(name)) return std::max(0, std::atoi(value));
    return 0;
}
/// Of bfloat16, with sums in float, by the tensor cores of a multiprocessor (NVIDIA's architecture whitepapers: A100 312, H100 989, B200 2250 and RTX PRO 6000 500 TFLOP/s without sparsity,
/// workstations' Ampere and Ada half of what the A100 has a clock; their GeForce cards do half of that again, and no number of a device says which it is).
constexpr double multiply_adds_a_clock(int major, int minor) {
    if (major == 8) return minor == 0 ? 1024 : 512;
    if (major == 9) return 2048;
    return major == 10 || major == 11 ? 4096 : 512;
}
/// The GPU of this process. \throws error where there is none that serves
inline gpu_facts find_gpu() {
    int driver = 0, toolkit = 0, count = 0;
    cudaDriverGetVersion(&driver);   // 0 where there is none
    cudaRuntimeGetVersion(&toolkit);
    auto const status = cudaGetDeviceCount(&count);
    if (driver == 0) fail("device: 'cuda': no CUDA device was found (no driver is installed)");
    if (status != cudaSuccess) fail("device: 'cuda': no CUDA device was found (the driver says: ", cudaGetErrorString(status), ")");
    if (count == 0) fail("device: 'cuda': no CUDA device was found (the driver shows none: see CUDA_VISIBLE_DEVICES)");
    cudaDeviceProp p{};
    int const which = rank_on_machine() % count;
    check(cudaSetDevice(which), "taking a device");
    check(cudaGetDeviceProperties(&p, which), "a device's properties");
    if (p.major < 8) fail("device: 'cuda': ", p.name, " is of sm_", p.major, p.minor, ": expected sm_80 or newer");
    if (!p.concurrentManagedAccess) fail("device: 'cuda': ", p.name, " shares no memory with the host while kernels run: expected Linux and a driver that does");
    int kilohertz = 0;
    check(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, which), "a device's clock");
    double const peak = 2 * multiply_adds_a_clock(p.major, p.minor) * p.multiProcessorCount * 1e3 * kilohertz;
    gpu_facts facts{p.name, 10 * p.major + p.minor, p.multiProcessorCount, p.totalGlobalMem, peak, version_text(driver), version_text(toolkit)};
    std::copy_n(p.uuid.bytes, facts.id.size(), facts.id.begin());
    return facts;
}

/// Managed memory, by Thrust, as much as fits on the GPU. More than it has free would be swapped with the host at each kernel, and can hang it.
class managed_source final : public thrust::mr::memory_resource<thrust::system::cuda::universal_memory_resource::pointer> {
public:
    managed_source() {
        std::size_t free = 0, total = 0;
        check(cudaMemGetInfo(&free, &total), "how much memory is free");
        limit_ = free / 10 * 9;
    }
    pointer do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (taken_ + bytes > limit_)
            fail("cuda: ", (taken_ + bytes) >> 20, " MiB needed: expected at most ", limit_ >> 20, ", nine tenths of what this GPU had free; a smaller "
                 "batch_size helps, and recompute");
        auto const p = source_.do_allocate(bytes, alignment);
        taken_ += bytes;
        return p;
    }
    void do_deallocate(pointer p, std::size_t bytes, std::size_t alignment) override {
        taken_ -= bytes;
        source_.do_deallocate(p, bytes, alignment);
    }

private:
    thrust::system::cuda::universal_memory_resource source_;
    std::size_t taken_ = 0, limit_ = 0;
};

/// The same in a pool: a buffer that is given back is the next one's, without the driver, which would wait for all kernels. Kernels run in
/// order, so that those of the next owner come after those of the last; a host that writes waits by itself (`synchronize`).
class managed_pool {
    using bookkeeping = thrust::mr::new_delete_resource;
    using pool = thrust::mr::disjoint_synchronized_pool_resource<managed_source, bookkeeping>;

public:
    void* allocate(std::size_t bytes) {
        try {
            return thrust::raw_pointer_cast(pool_.allocate(bytes, line_bytes));
        } catch (std::bad_alloc const& e) {
            fail("cuda: ", bytes >> 20, " MiB of managed memory: ", e.what());
        }
    }
    void free(void* p, std::size_t bytes) { pool_.deallocate(managed_source::pointer(p), bytes, line_bytes); }
    /// Never ends: when static objects do, the driver may have ended already.
    static managed_pool& one() {
        static auto* const p = new managed_pool;
        return *p;
    }

private:
    managed_pool() : pool_(&source_, &books_, options()) {}
    static thrust::mr::pool_options options() {
        auto o = pool::get_default_options();
        o.alignment = o.smallest_block_size = line_bytes;   // else each request counts as aligned beyond the pool's blocks, and goes to the driver
        o.cached_size_cutoff_factor = 2;                    // a large piece serves no request of less than half its size
        return o;
    }

    managed_source source_;
    bookkeeping books_;
    pool pool_;
};

inline constexpr memory_source managed{[](std::size_t bytes) { return managed_pool::one().allocate(bytes); },
                                       [](void* p, std::size_t bytes) { managed_pool::one().free(p, bytes); }};

}  // namespace gpu

gpu_facts const& use_gpu() {
    static gpu_facts const facts = gpu::find_gpu();
    current_memory() = &gpu::managed;
    return facts;
}
void synchronize(cuda device) { gpu::synchronize(device); }

}  // namespace attnlab
#endif
