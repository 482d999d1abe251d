#pragma once
#ifdef __CUDACC__
#include <cuda_runtime.h>

#include <attnlab/kernels/cuda/device_block.hpp>
#endif
#include <algorithm>
#include <cstdint>
#include <exception>

#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/emulated_block.hpp>

/// \file
/// Starting a kernel. A kernel is an object that holds its arguments and whose `operator()(block, id)` is the program of one thread block,
/// in phases between barriers: `static constexpr int warps`, `index_t shared_bytes() const`, and
/// `template <class Block> constexpr void operator()(Block&, index_t id) const`.

namespace attnlab::gpu {

/// Shared memory that every GPU from sm_80 on gives a block.
inline constexpr index_t most_shared_bytes = 163 * 1024;

/// Of an H100: by it kernels that may choose share their work; others run as well.
inline constexpr index_t multiprocessors = 132;

/// How many warps the blocks of a kernel have: at most `Kernel::warps`, where it knows better when it is started.
template <class Kernel>
int warps_of(Kernel const& kernel) {
    if constexpr (requires { kernel.warps_now(); }) return kernel.warps_now();
    else return Kernel::warps;
}

/// Kernels whose blocks are alike, in one launch: the blocks of one after those of the other.
template <class Kernel, class... Others>
struct side_by_side {
    static constexpr int warps = Kernel::warps, resident = Kernel::resident;
    Kernel kernel;
    index_t blocks;
    side_by_side<Others...> others;

    int warps_now() const { return kernel.warps_now(); }
    constexpr index_t shared_bytes() const { return std::max(kernel.shared_bytes(), others.shared_bytes()); }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        if (id < blocks) kernel(block, id);
        else others(block, id - blocks);
    }
};
template <class Kernel>
struct side_by_side<Kernel> : Kernel {};
template <class Kernel>
side_by_side<Kernel> joined(index_t, Kernel const& kernel) {
    return {kernel};
}
/// Each of so many blocks.
template <class Kernel, class... Others>
side_by_side<Kernel, Others...> joined(index_t blocks, Kernel const& kernel, Others const&... others) {
    return {kernel, blocks, joined(blocks, others...)};
}

/// Runs blocks 0 .. `blocks` on the host, in an order that no kernel may count on.
template <class Kernel>
void launch(emulated_cuda, Kernel const& kernel, index_t blocks) {
    require(kernel.shared_bytes() <= most_shared_bytes, "a kernel asks for ", kernel.shared_bytes(), " bytes of shared memory: expected at most ", most_shared_bytes);
    std::exception_ptr problem;
#pragma omp parallel for schedule(dynamic) if (blocks > 1)
    for (index_t i = 0; i < blocks; ++i) {
        index_t const id = i % 2 == 0 ? i / 2 : blocks - 1 - i / 2;   // from both ends
        try {
            emulated_block block(warps_of(kernel), kernel.shared_bytes(), static_cast<std::uint32_t>(id));
            kernel(block, id);
        } catch (...) {
#pragma omp critical
            problem = std::current_exception();
        }
    }
    if (problem) std::rethrow_exception(problem);
}

#ifdef __CUDACC__
/// \throws error with the driver's words
inline void check(cudaError_t status, char const* what) {
    require(status == cudaSuccess, "cuda: ", what, ": ", cudaGetErrorString(status));
}
/// All kernels of a program are started in one stream, in which they run in order.
inline cudaStream_t stream() {
    static cudaStream_t const s = [] {
        cudaStream_t made = nullptr;
        check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "a stream");
        return made;
    }();
    return s;
}

/// How many blocks a kernel wants on a multiprocessor at once, 0 where ptxas may choose: as many registers may a thread have.
template <class Kernel>
inline constexpr int resident_blocks = 0;
template <class Kernel>
    requires requires { Kernel::resident; }
inline constexpr int resident_blocks<Kernel> = Kernel::resident;

template <class Kernel>
__global__ void __launch_bounds__(Kernel::warps* warp_size, resident_blocks<Kernel>) run_kernel(Kernel const kernel) {
    extern __shared__ __align__(1024) unsigned char shared[];
    device_block block(shared);
    kernel(block, static_cast<index_t>(blockIdx.x));
}
template <class Kernel>
void launch(cuda, Kernel const& kernel, index_t blocks) {
    if (blocks == 0) return;
    index_t const bytes = kernel.shared_bytes();
    static thread_local index_t most = 48 * 1024;   // more is to be asked for
    if (bytes > most) {
        check(cudaFuncSetAttribute(run_kernel<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)), "shared memory for a kernel");
        most = bytes;
    }
    run_kernel<Kernel><<<static_cast<unsigned>(blocks), warps_of(kernel) * warp_size, static_cast<std::size_t>(bytes), stream()>>>(kernel);
    check(cudaGetLastError(), "starting a kernel");
}
/// Waits until all that was started is done: the host may then read what kernels wrote.
inline void synchronize(cuda) { check(cudaStreamSynchronize(stream()), "a kernel"); }
#endif

}  // namespace attnlab::gpu
