#pragma once
#ifndef __CUDACC__
#define THRUST_DEVICE_SYSTEM THRUST_DEVICE_SYSTEM_OMP   // in C++ Thrust has no other
#endif
#include <cstdint>
#include <tuple>

#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#ifdef __CUDACC__
#include <thrust/system/cuda/execution_policy.h>
#else
#include <thrust/system/omp/execution_policy.h>
#endif

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// Element by element: a rule on numbers, written once, over arrays, by Thrust (its CUDA side on a device, its OpenMP side on the host).
/// Four elements at a time, sixteen bytes, where the arrays allow it.

namespace attnlab::gpu {

/// A number as a rule sees it: the lane of one thread.
using element = lanes_of<float, 1>;
/// Four adjacent elements.
struct four {
    element v[4];
};

namespace detail {
inline bool on_sixteen_bytes(void const* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

template <class T>
constexpr void read_four(T const* from, four& x) {
    auto const a = *reinterpret_cast<adjacent<T, 4> const*>(from);
    for (int i = 0; i < 4; ++i) x.v[i] = element(static_cast<float>(a.v[i]));
}
template <class T>
constexpr void write_four(T* to, four const& x) {
    write(to, adjacent<float, 4>{x.v[0].v[0], x.v[1].v[0], x.v[2].v[0], x.v[3].v[0]});
}
}  // namespace detail

/// An array that the rule only reads.
template <class T>
struct reads {
    T const* data;

    bool aligned() const { return detail::on_sixteen_bytes(data); }
    constexpr void get(index_t first, four& x) const { detail::read_four(data + first, x); }
    constexpr void get(index_t at, element& x) const { x.v[0] = static_cast<float>(data[at]); }
    template <class X>
    constexpr void put(index_t, X const&) const {}
};
template <class T>
reads(T const*) -> reads<T>;
/// Every other number of an array, from `data` on.
struct reads_every_other {
    float const* data;

    static bool aligned() { return true; }
    constexpr void get(index_t first, four& x) const {
        for (int i = 0; i < 4; ++i) x.v[i] = element(data[2 * (first + i)]);
    }
    constexpr void get(index_t at, element& x) const { x.v[0] = data[2 * at]; }
    template <class X>
    constexpr void put(index_t, X const&) const {}
};
/// One that it only writes, or rounds into; none where it is null.
template <class T>
struct writes {
    T* data;

    bool aligned() const { return detail::on_sixteen_bytes(data); }
    template <class X>
    constexpr void get(index_t, X&) const {}
    constexpr void put(index_t first, four const& x) const {
        if (data) detail::write_four(data + first, x);
    }
    constexpr void put(index_t at, element const& x) const {
        if (data) data[at] = static_cast<T>(x.v[0]);
    }
};
template <class T>
writes(T*) -> writes<T>;
/// One that it changes.
template <class T>
struct changes {
    T* data;

    bool aligned() const { return detail::on_sixteen_bytes(data); }
    template <class X>
    constexpr void get(index_t at, X& x) const {
        reads<T>{data}.get(at, x);
    }
    template <class X>
    constexpr void put(index_t at, X const& x) const {
        writes<T>{data}.put(at, x);
    }
};
template <class T>
changes(T*) -> changes<T>;

/// The rule on elements first, ..., up to `end` of the arrays.
template <class Rule, class... Arrays>
constexpr void apply_to_four(Rule const& rule, index_t first, index_t end, bool aligned, Arrays const&... arrays) {
    if (aligned && first + 4 <= end) {
        auto const run = [&](auto... x) {
            (arrays.get(first, x), ...);
            for (int i = 0; i < 4; ++i) rule(x.v[i]...);
            (arrays.put(first, x), ...);
        };
        run((static_cast<void>(arrays), four{})...);
    } else {
        auto const run = [&](index_t at, auto... x) {
            (arrays.get(at, x), ...);
            rule(x...);
            (arrays.put(at, x), ...);
        };
        for (index_t at = first; at < first + 4 && at < end; ++at) run(at, (static_cast<void>(arrays), element{})...);
    }
}

/// What Thrust calls for each four elements.
template <class Rule, class... Arrays>
struct element_groups {
    Rule rule;
    index_t n;
    bool aligned;
    std::tuple<Arrays...> arrays;

    constexpr void operator()(index_t group) const {
        std::apply([&](Arrays const&... a) { apply_to_four(rule, 4 * group, n, aligned, a...); }, arrays);
    }
};

inline auto thrust_policy(emulated_cuda) {
#ifndef __CUDACC__
    return thrust::omp::par;
#endif
}
#ifdef __CUDACC__
/// In the stream of all kernels, and nobody waits.
inline auto thrust_policy(cuda) { return thrust::cuda::par_nosync.on(stream()); }
#endif

/// `rule(x...)` for each of n elements: x is an `element&` for each of the arrays. A rule is an object, no lambda (nvcc names kernels by types).
template <class Device, class Rule, class... Arrays>
void each_element(Device device, index_t n, Rule const& rule, Arrays... arrays) {
    if (n == 0) return;
    bool const aligned = (arrays.aligned() && ...);
    thrust::for_each_n(thrust_policy(device), thrust::counting_iterator<index_t>(0), (n + 3) / 4,
                       element_groups<Rule, Arrays...>{rule, n, aligned, {arrays...}});
}

}  // namespace attnlab::gpu
