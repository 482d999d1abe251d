#pragma once
#ifndef __CUDACC__
#error "attnlab/kernels/cuda/device_block.hpp: for nvcc; C++ files see kernels/cuda/emulated_block.hpp"
#endif
#include <cstdint>

#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/lanes.hpp>

/// \file
/// A thread block on the device: the same members as kernels/cuda/emulated_block.hpp, whose text explains them. A thread is a lane.

namespace attnlab::gpu {

/// Functions of the special units: exp has an error of 2 + 1.2 |x| units in the last place (CUDA C++ programming guide, intrinsics),
/// which for the weights of attention, e^x with x <= 0, is at most 4e-8 of the largest. Results below 2^-126 are 0: to keep them costs three instructions more.
template <>
struct elementary<1> {
    static __host__ __device__ float exp(float x) {
#ifdef __CUDA_ARCH__
        return exp2(x * log2_e);
#else
        return std::exp(x);   // nvcc compiles the text of kernels for the host as well
#endif
    }
    /// e^(a - b), where b is a row's: a multiplication less. What it rounds of b is the same for the whole row.
    static __host__ __device__ float exp_of_difference(float a, float b) {
#ifdef __CUDA_ARCH__
        return exp2(fmaf(a, log2_e, -(b * log2_e)));
#else
        return std::exp(a - b);
#endif
    }
    static __host__ __device__ float log1p(float x) { return ::log1pf(x); }
    static __host__ __device__ float sqrt(float x) { return ::sqrtf(x); }
    static __host__ __device__ float tanh(float x) { return ::tanhf(x); }
    /// Instructions of their own.
    static __host__ __device__ float log(float x) {
#ifdef __CUDA_ARCH__
        constexpr float ln_2 = 0.693147181f;
        float r;
        asm("lg2.approx.f32 %0, %1;" : "=f"(r) : "f"(x));
        return r * ln_2;
#else
        return std::log(x);
#endif
    }
    static __host__ __device__ float inverse(float x) {
#ifdef __CUDA_ARCH__
        float r;
        asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
        return r;
#else
        return 1 / x;
#endif
    }
    static __host__ __device__ float rounded_tanh(float x) {
#ifdef __CUDA_ARCH__
        float r;
        asm("tanh.approx.f32 %0, %1;" : "=f"(r) : "f"(x));
        return r;
#else
        return std::tanh(x);
#endif
    }
    static __host__ __device__ float erf(float x) { return ::erff(x); }
    static __host__ __device__ float abs(float x) { return ::fabsf(x); }
    static __host__ __device__ float max(float x, float y) { return ::fmaxf(x, y); }
    /// To two units in the last place, in a third of the instructions that exact rounding takes.
    static __host__ __device__ float divide(float x, float y) {
#ifdef __CUDA_ARCH__
        float r;
        asm("div.full.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y));
        return r;
#else
        return x / y;
#endif
    }

private:
    static constexpr float log2_e = 1.44269504f;
#ifdef __CUDA_ARCH__
    static __device__ float exp2(float x) {
        float r;
        asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
        return r;
    }
#endif
};

/// The same in packs of some numbers a lane.
template <int Held>
    requires(Held > 1 && Held <= 8)
struct elementary<Held> : elementary<1> {};

/// `Size` adjacent lanes of a warp. All groups of a warp meet at the same places: with some of its lanes alone, nvcc has no uniform registers.
template <int Size>
class device_group {
public:
    static constexpr int size = Size, held = 1;
    template <class T>
    using lanes = lanes_of<T, 1>;
    using number = lanes<float>;
    using whole = lanes<int>;
    using flag = lanes<bool>;

    __device__ int index() const { return static_cast<int>(threadIdx.x) / Size; }
    static __device__ int lane() { return static_cast<int>(threadIdx.x) % Size; }

    template <class F>
    static __device__ auto each_lane(F f) {
        return lanes<decltype(f(0))>(f(lane()));
    }
    template <class F>
    static __device__ void visit(F f) {
        f(lane(), 0);
    }
    template <class F>
    static __device__ void once(F f) {
        if (lane() == 0) f();
    }
    static __device__ void sync() { __syncwarp(); }

    template <int First, int Last, class T, class Op>
    static __device__ lanes<T> butterfly(lanes<T> x, Op op) {
#pragma unroll
        for (int bit = First / 2; bit >= Last; bit /= 2) x.v[0] = op(x.v[0], __shfl_xor_sync(~0u, x.v[0], bit));
        return x;
    }
    template <class T>
    static __device__ lanes<T> shifted(lanes<T> const& x, int by) {
        T const lower = __shfl_up_sync(~0u, x.v[0], static_cast<unsigned>(by), Size);
        return lanes<T>(lane() >= by ? lower : T(0));
    }
    static __device__ bool any(flag f) { return __any_sync(~0u, f.v[0]) != 0; }
    static __device__ bool all(flag f) { return __all_sync(~0u, f.v[0]) != 0; }
    static __device__ std::uint32_t ballot(flag f) { return __ballot_sync(~0u, f.v[0]); }
    template <class T>
    static __device__ T of_lane(lanes<T> const& x, int lane) {
        return __shfl_sync(~0u, x.v[0], lane, Size);
    }
    template <class T>
    static __device__ lanes<T> from_lanes(lanes<T> const& x, whole lane) {
        return lanes<T>(__shfl_sync(~0u, x.v[0], lane.v[0], Size));
    }
};
using device_warp = device_group<warp_size>;

template <class T>
class device_shared {
public:
    using value_type = T;

    device_shared() = default;
    explicit constexpr device_shared(T* data) : data_(data) {}

    __device__ device_warp::lanes<T> get(device_warp, device_warp::whole at) const { return device_warp::lanes<T>(data_[at.v[0]]); }
    __device__ device_warp::lanes<T> get(device_warp, device_warp::whole at, device_warp::flag in) const {
        return device_warp::lanes<T>(in.v[0] ? data_[at.v[0]] : T{});
    }
    __device__ void put(device_warp, device_warp::whole at, device_warp::lanes<T> x) const { data_[at.v[0]] = x.v[0]; }
    __device__ void put(device_warp, device_warp::whole at, device_warp::lanes<T> x, device_warp::flag in) const {
        if (in.v[0]) data_[at.v[0]] = x.v[0];
    }
    __device__ T one(device_warp, index_t at) const { return data_[at]; }
    template <class Group>
    __device__ T const* reads(Group, index_t first, index_t) const { return data_ + first; }
    template <class Group>
    __device__ T* writes(Group, index_t first, index_t) const { return data_ + first; }
    __device__ void copy_async(device_warp, device_warp::whole at, device_warp::lanes<T const*> from, device_warp::flag in = device_warp::flag(true)) const {
        if (in.v[0])
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address(at.v[0])), "l"(from.v[0]) : "memory");
    }
    /// As PTX wants it, of element `of_lane` + `at`. The lane's share is computed once in a kernel; what is constant in `at` becomes part of an instruction.
    __device__ std::uint32_t address(int of_lane, int at = 0) const {
        constexpr auto size = static_cast<std::uint32_t>(sizeof(T));
        return static_cast<std::uint32_t>(__cvta_generic_to_shared(data_)) + static_cast<std::uint32_t>(of_lane) * size + static_cast<std::uint32_t>(at) * size;
    }

private:
    T* data_;
};

class device_block {
public:
    using warp = device_warp;
    /// Whether four warps multiply together: in instructions that sm_90 alone has.
    template <class Products>
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    static constexpr bool has_warpgroups = Products::written_out;
#else
    static constexpr bool has_warpgroups = false;
#endif
    template <class T>
    using shared_array = device_shared<T>;
    template <class State>
    struct per_warp {
        explicit constexpr per_warp(device_block const&) {}
        template <int Size>
        __device__ State& operator[](device_group<Size>) { return own; }
        State own;
    };

    explicit __device__ device_block(unsigned char* shared) : next_(shared) {}
    device_block(device_block const&) = delete;
    device_block& operator=(device_block const&) = delete;

    template <class T>
    __device__ device_shared<T> shared(index_t n) {
        auto* const mine = reinterpret_cast<T*>(next_);
        next_ += (n * static_cast<index_t>(sizeof(T)) + 15) / 16 * 16;
        return device_shared<T>(mine);
    }
    static __device__ int warps() { return static_cast<int>(blockDim.x) / warp_size; }
    template <class Body>
    __device__ void each_warp(Body body) {
        each_group<warp_size>(body);
    }
    template <int Size, class Body>
    __device__ void each_group(Body body) {
        body(device_group<Size>{});
        __syncthreads();
    }
    template <class F>
    __device__ bool any_warp(F f) {
        return __syncthreads_or(f(warp{})) != 0;
    }
    static __device__ void commit(warp) { asm volatile("cp.async.commit_group;" ::: "memory"); }
    /// `left` is known when the kernel is compiled, or 0.
    static __device__ void wait(warp, int left) {
        if (left == 1)
            asm volatile("cp.async.wait_group 1;" ::: "memory");
        else
            asm volatile("cp.async.wait_group 0;" ::: "memory");
        publish({});
    }
    /// After what lanes wrote or copied themselves: a warpgroup does not read as lanes do.
    static __device__ void publish(warp) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
    }

private:
    unsigned char* next_;
};

}  // namespace attnlab::gpu
