#pragma once

/// \file
/// Where a model runs. A device is a template argument of layers and models; kernels are overloads on it.

namespace attnlab {

/// The oracle: xtensor expressions in double, written to be read.
struct ref {
    using scalar = double;
    static constexpr char const* name = "ref";
};

/// Fused, tiled, vectorised, threaded; float.
struct cpu {
    using scalar = float;
    static constexpr char const* name = "cpu";
};

/// Kernels of warps, tensor cores and thread blocks; float. Compiled by nvcc, run on a GPU.
struct cuda {
    using scalar = float;
    static constexpr char const* name = "cuda";
};

/// The very kernels of `cuda`, compiled as C++ and run on the host, a warp being an array of 32 lanes: how their logic is proved where
/// there is no GPU. Finds races and missing barriers in shared memory; slow.
struct emulated_cuda {
    using scalar = float;
    static constexpr char const* name = "emulated_cuda";
};

/// Either of the two: one source serves both.
template <class Device>
inline constexpr bool is_cuda = false;
template <>
inline constexpr bool is_cuda<cuda> = true;
template <>
inline constexpr bool is_cuda<emulated_cuda> = true;
template <class Device>
concept cuda_device = is_cuda<Device>;

/// Waits until all that was started on a device is done: the host may then read what kernels wrote, and write what they read. On the host
/// nothing is ever under way. That of `cuda` is in kernels/cuda/declared.hpp.
constexpr void synchronize(ref) {}
constexpr void synchronize(cpu) {}
constexpr void synchronize(emulated_cuda) {}

}  // namespace attnlab
