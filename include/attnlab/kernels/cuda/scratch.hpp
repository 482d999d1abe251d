#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include <attnlab/core/buffer.hpp>
#include <attnlab/kernels/cuda/launch.hpp>

/// \file
/// Memory that kernels work in and the host does not look at: a piece for each `Purpose` and host thread, which grows and stays, so that a
/// step in a training allocates nothing. Kernels run in order: what one call leaves there the next one may overwrite.

namespace attnlab::gpu {

/// n numbers to work in. The emulation fills them with NaN, so that what is read before it is written shows.
template <class Purpose, class T>
T* scratch(emulated_cuda, index_t n) {
    static thread_local buffer<T> memory;
    if (static_cast<index_t>(memory.size()) < n) memory.resize(static_cast<std::size_t>(n));
    std::memset(static_cast<void*>(memory.data()), 0xff, static_cast<std::size_t>(n) * sizeof(T));
    return memory.data();
}
/// A copy of n numbers of the host, for kernels: the host may write over its own at once.
template <class Purpose, class T>
T const* upload(emulated_cuda device, T const* from, index_t n) {
    T* const to = scratch<Purpose, T>(device, n);
    std::copy_n(from, n, to);
    return to;
}
/// A number that a kernel makes for the host, which `synchronize`s before it reads.
template <class T>
T* result(emulated_cuda device) {
    return scratch<T, T>(device, 1);
}
/// n zeros.
inline void fill_zero(emulated_cuda, float* x, index_t n) { std::fill_n(x, n, 0.0f); }

#ifdef __CUDACC__
namespace detail {
/// Room for `bytes` and for growing a little.
constexpr std::size_t with_room(std::size_t bytes) {
    constexpr std::size_t grain = std::size_t{1} << 16;
    return (bytes + bytes / 8 + grain - 1) / grain * grain;
}
/// Memory of the device alone. Never given back: when static objects end, the driver may have ended already.
struct device_piece {
    void* data = nullptr;
    std::size_t size = 0;

    void* room(std::size_t bytes) {
        if (size < bytes) {
            if (data) check(cudaFreeAsync(std::exchange(data, nullptr), stream()), "giving memory back");
            size = 0;   // where there is no room, a smaller call may come
            check(cudaMallocAsync(&data, with_room(bytes), stream()), "memory to work in");
            size = with_room(bytes);
        }
        return data;
    }
};
/// Pinned memory on the way to the device, and when it has arrived there.
struct pinned_piece {
    void* data = nullptr;
    std::size_t size = 0;
    cudaEvent_t copied = nullptr;

    void* room(std::size_t bytes) {
        if (copied)
            check(cudaEventSynchronize(copied), "a copy to the device");
        else
            check(cudaEventCreateWithFlags(&copied, cudaEventDisableTiming), "an event");
        if (size < bytes) {
            if (data) check(cudaFreeHost(std::exchange(data, nullptr)), "giving pinned memory back");
            size = 0;
            check(cudaMallocHost(&data, with_room(bytes)), "pinned memory");
            size = with_room(bytes);
        }
        return data;
    }
};
}  // namespace detail

template <class Purpose, class T>
T* scratch(cuda, index_t n) {
    static thread_local detail::device_piece memory;
    return static_cast<T*>(memory.room(static_cast<std::size_t>(n) * sizeof(T)));
}
template <class Purpose, class T>
T const* upload(cuda device, T const* from, index_t n) {
    static thread_local detail::pinned_piece staging;
    if (n == 0) return nullptr;
    auto const bytes = static_cast<std::size_t>(n) * sizeof(T);
    std::memcpy(staging.room(bytes), from, bytes);
    T* const to = scratch<Purpose, T>(device, n);
    check(cudaMemcpyAsync(to, staging.data, bytes, cudaMemcpyHostToDevice, stream()), "a copy to the device");
    check(cudaEventRecord(staging.copied, stream()), "an event");
    return to;
}
template <class T>
T* result(cuda) {
    static thread_local T* const mine = [] {
        T* p = nullptr;
        check(cudaMallocHost(&p, sizeof(T)), "pinned memory");
        return p;
    }();
    return mine;
}
inline void fill_zero(cuda, float* x, index_t n) { check(cudaMemsetAsync(x, 0, static_cast<std::size_t>(n) * sizeof(float), stream()), "zeros"); }
#endif

}  // namespace attnlab::gpu
