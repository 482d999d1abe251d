#pragma once
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <attnlab/attention/functions.hpp>

/// \file
/// A value in each lane of a warp. On a GPU a thread holds its own lane's, on the host one object holds all 32: the same text is the
/// program of a thread and of a register of 32 numbers. Functions are plain constexpr: nvcc compiles those for the device too.

namespace attnlab::gpu {

inline constexpr int warp_size = 32;

/// body(0), ..., body(N - 1), written out: what is indexed stays in registers.
template <int N, class Body>
constexpr void unrolled(Body body) {
    [&]<int... I>(std::integer_sequence<int, I...>) { (body(I), ...); }(std::make_integer_sequence<int, N>{});
}

/// x, computed once and kept: nvcc makes what is simple anew where it is used, in a loop as well.
template <class T>
constexpr T kept(T x) {
#ifdef __CUDA_ARCH__
    static_assert(sizeof(T) == 8);
    asm volatile("mov.b64 %0, %0;" : "+l"(x));
#endif
    return x;
}

/// `Held` lanes: 1 on a device, 32 on the host.
template <class T, int Held>
struct lanes_of {
    T v[Held];

    constexpr lanes_of() = default;
    explicit constexpr lanes_of(T x) {
        for (T& e : v) e = x;
    }

    friend constexpr lanes_of operator-(lanes_of a) {
        for (T& e : a.v) e = -e;
        return a;
    }
    friend constexpr lanes_of operator!(lanes_of a)
        requires std::is_same_v<T, bool>
    {
        for (T& e : a.v) e = !e;
        return a;
    }
    constexpr lanes_of& operator+=(lanes_of b) { return *this = *this + b; }
};

/// f(a, b) lane by lane.
template <class T, class U, int Held, class F>
constexpr auto each(lanes_of<T, Held> const& a, lanes_of<U, Held> const& b, F f) {
    lanes_of<decltype(f(a.v[0], b.v[0])), Held> r;
    for (int i = 0; i < Held; ++i) r.v[i] = f(a.v[i], b.v[i]);
    return r;
}
template <class T, int Held, class F>
constexpr auto each(lanes_of<T, Held> const& a, F f) {
    lanes_of<decltype(f(a.v[0])), Held> r;
    for (int i = 0; i < Held; ++i) r.v[i] = f(a.v[i]);
    return r;
}

template <class T, int N>
constexpr lanes_of<T, N> operator+(lanes_of<T, N> const& a, lanes_of<T, N> const& b) {
    return each(a, b, [](T x, T y) { return static_cast<T>(x + y); });
}
template <class T, int N>
constexpr lanes_of<T, N> operator-(lanes_of<T, N> const& a, lanes_of<T, N> const& b) {
    return each(a, b, [](T x, T y) { return static_cast<T>(x - y); });
}
template <class T, int N>
constexpr lanes_of<T, N> operator*(lanes_of<T, N> const& a, lanes_of<T, N> const& b) {
    return each(a, b, [](T x, T y) { return static_cast<T>(x * y); });
}
template <class T, int N>
constexpr lanes_of<bool, N> operator<(lanes_of<T, N> const& a, lanes_of<T, N> const& b) {
    return each(a, b, [](T x, T y) { return x < y; });
}
template <int N>
constexpr lanes_of<bool, N> operator&(lanes_of<bool, N> const& a, lanes_of<bool, N> const& b) {
    return each(a, b, [](bool x, bool y) { return x && y; });
}
/// a where `which`, else b.
template <class T, int N>
constexpr lanes_of<T, N> select(lanes_of<bool, N> const& which, lanes_of<T, N> const& a, lanes_of<T, N> const& b) {
    lanes_of<T, N> r;
    for (int i = 0; i < N; ++i) r.v[i] = which.v[i] ? a.v[i] : b.v[i];
    return r;
}
/// Elementary functions of one number: of a device thread (`Held` 1, kernels/cuda/device_block.hpp), or of the host.
template <int Held>
struct elementary {
    static float exp(float x) { return std::exp(x); }
    static float exp_of_difference(float a, float b) { return std::exp(a - b); }
    static float log(float x) { return std::log(x); }
    static float log1p(float x) { return std::log1p(x); }
    static float sqrt(float x) { return std::sqrt(x); }
    static float tanh(float x) { return std::tanh(x); }
    static float rounded_tanh(float x) { return std::tanh(x); }   ///< to 2^-11 on a device
    static float inverse(float x) { return 1 / x; }   ///< of no x below 2^-126
    static float erf(float x) { return std::erf(x); }
    static float abs(float x) { return std::fabs(x); }
    static float max(float x, float y) { return std::fmax(x, y); }
    static float divide(float x, float y) { return x / y; }
};

template <class T, int N>
constexpr lanes_of<T, N> operator/(lanes_of<T, N> const& a, lanes_of<T, N> const& b) {
    return each(a, b, [](T x, T y) {
        if constexpr (std::is_same_v<T, float>) return elementary<N>::divide(x, y);
        else return static_cast<T>(x / y);
    });
}

/// The larger; of a number and a NaN, the number.
template <int N>
constexpr lanes_of<float, N> max(lanes_of<float, N> const& a, lanes_of<float, N> const& b) {
    return each(a, b, [](float x, float y) { return elementary<N>::max(x, y); });
}

}  // namespace attnlab::gpu

namespace attnlab::expr {
/// The language of joints in the lanes of a warp.
template <int Held>
struct lane_functions<gpu::lanes_of<float, Held>> {
    using L = gpu::lanes_of<float, Held>;
    using one = gpu::elementary<Held>;
    static constexpr L exp(L x) {
        for (float& e : x.v) e = one::exp(e);
        return x;
    }
    static constexpr L exp_of_difference(L const& a, L const& b) {
        return gpu::each(a, b, [](float x, float y) { return one::exp_of_difference(x, y); });
    }
    static constexpr L log(L x) {
        for (float& e : x.v) e = one::log(e);
        return x;
    }
    static constexpr L log1p_of_unit(L x) {
        for (float& e : x.v) e = one::log1p(e);
        return x;
    }
    static constexpr L inverse(L x) {
        for (float& e : x.v) e = one::inverse(e);
        return x;
    }
    static constexpr L sqrt(L x) {
        for (float& e : x.v) e = one::sqrt(e);
        return x;
    }
    static constexpr L tanh(L x) {
        for (float& e : x.v) e = one::tanh(e);
        return x;
    }
    static constexpr L abs(L x) {
        for (float& e : x.v) e = one::abs(e);
        return x;
    }
    static constexpr L where_positive(L x, L a, L b) { return select(gpu::each(x, [](float e) { return e > 0; }), a, b); }
};
}  // namespace attnlab::expr
