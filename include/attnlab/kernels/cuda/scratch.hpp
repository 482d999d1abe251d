#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <attnlab/core/buffer.hpp>
#include <attnlab/kernels/cuda/launch.hpp>

/// \file
/// Memory that kernels work in between their own steps. One piece for each `place` and host thread, which grows and stays: kernels of a
/// stream run in order, so that the next call may use it again at once. What is in it is good until the next call for the same place.

namespace attnlab::gpu {

/// Who works in it. Two that are alive at once have places of their own.
enum class place { products, input, upstream, partial_sums, order, first, tokens, targets, result, count };

namespace detail {
inline constexpr auto places = static_cast<std::size_t>(place::count);
inline constexpr std::size_t grain = std::size_t{1} << 16;
/// Room for `bytes` and for growing a little.
constexpr std::size_t with_room(std::size_t bytes) { return (bytes + bytes / 8 + grain - 1) / grain * grain; }
}  // namespace detail

/// n numbers to work in. The emulation fills them with NaN, so that what is read before it is written shows.
template <class T>
T* scratch(emulated_cuda, place which, index_t n) {
    static thread_local std::array<buffer<double>, detail::places> memory;   // double: aligned for every T
    auto& m = memory[static_cast<std::size_t>(which)];
    auto const doubles = (static_cast<std::size_t>(n) * sizeof(T) + sizeof(double) - 1) / sizeof(double);
    if (m.size() < doubles) m.resize(doubles);
    std::memset(static_cast<void*>(m.data()), 0xff, doubles * sizeof(double));
    return reinterpret_cast<T*>(m.data());
}
/// A copy of what the host holds, for kernels: the host may write over its own at once.
template <class T>
T const* upload(emulated_cuda device, place which, T const* from, index_t n) {
    T* const to = scratch<T>(device, which, n);
    std::copy_n(from, n, to);
    return to;
}
/// A number that a kernel makes for the host, which `synchronize`s before it reads.
template <class T>
T* result(emulated_cuda device) {
    return scratch<T>(device, place::result, 1);
}

inline void fill_zero(emulated_cuda, void* p, std::size_t bytes) { std::memset(p, 0, bytes); }

#ifdef __CUDACC__
inline void fill_zero(cuda, void* p, std::size_t bytes) { check(cudaMemsetAsync(p, 0, bytes, stream()), "zeros"); }

namespace detail {
/// Of one place. Never given back: when static objects end, the driver may have ended already.
struct device_piece {
    void* data = nullptr;
    std::size_t size = 0;

    void* room(std::size_t bytes) {
        if (size < bytes) {
            if (data) check(cudaFreeAsync(data, stream()), "giving memory back");
            size = with_room(bytes);
            check(cudaMallocAsync(&data, size, stream()), "memory to work in");
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
            if (data) check(cudaFreeHost(data), "giving pinned memory back");
            size = with_room(bytes);
            check(cudaMallocHost(&data, size), "pinned memory");
        }
        return data;
    }
};
}  // namespace detail

template <class T>
T* scratch(cuda, place which, index_t n) {
    static thread_local std::array<detail::device_piece, detail::places> memory;
    return static_cast<T*>(memory[static_cast<std::size_t>(which)].room(static_cast<std::size_t>(n) * sizeof(T)));
}
template <class T>
T const* upload(cuda device, place which, T const* from, index_t n) {
    static thread_local std::array<detail::pinned_piece, detail::places> staging;
    auto& s = staging[static_cast<std::size_t>(which)];
    auto const bytes = static_cast<std::size_t>(n) * sizeof(T);
    std::memcpy(s.room(bytes), from, bytes);
    T* const to = scratch<T>(device, which, n);
    check(cudaMemcpyAsync(to, s.data, bytes, cudaMemcpyHostToDevice, stream()), "a copy to the device");
    check(cudaEventRecord(s.copied, stream()), "an event");
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
#endif

/// The same for each purpose of a policy's kernels, by name, in memory that the host sees too.
template <class Purpose, class T>
T* scratch(index_t n) {
    static buffer<T> room;
    if (static_cast<index_t>(room.size()) < n) room.resize(static_cast<std::size_t>(n));
    return room.data();
}

}  // namespace attnlab::gpu
