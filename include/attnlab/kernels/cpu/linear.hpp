#pragma once
#include <algorithm>
#include <cassert>
#include <cstddef>
#include <type_traits>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/gemm.hpp>
#include <attnlab/kernels/cpu/gemm_bfloat16.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

/// \file
/// Products with a layer's weights. Where these come rounded to bfloat16, what they meet is rounded as well, and sums stay in float.

namespace attnlab {

/// to = from, rounded to nearest (ties to even).
inline void round(cpu, view<float const, 1> from, view<bfloat16, 1> to) {
    assert(from.size() == to.size());
    constexpr index_t block = 4096;
    index_t const n = from.size();
    each_row((n + block - 1) / block, block, [=](index_t b) {
        for (index_t i = b * block; i < std::min(n, (b + 1) * block); ++i) to.data()[i] = bfloat16(from.data()[i]);
    });
}

namespace detail {

/// x as a factor: itself, or rounded, in memory that stays until the next call for the same Place.
template <class T, int Place>
view<T const, 2> factor(view<float const, 2> x) {
    if constexpr (std::is_same_v<T, float>) {
        return x;
    } else {
        static thread_local buffer<T> memory;
        if (memory.size() < static_cast<std::size_t>(x.size())) memory.resize(static_cast<std::size_t>(x.size()));
        round(cpu{}, x.reshaped(std::array{x.size()}), view<T, 1>(memory.data(), {x.size()}));
        return {memory.data(), x.shape()};
    }
}

template <class T>
void linear_forward(view<float const, 2> x, view<T const, 2> w, float const* bias, view<float, 2> y) {
    index_t const n = x.shape(0), in = x.shape(1), out = w.shape(0);
    assert(w.shape(1) == in && y.shape(0) == n && y.shape(1) == out);
    if (bias) each_row(n, out, [=](index_t i) { std::copy_n(bias, out, y.data() + i * out); });
    gemm(cpu{}, false, true, n, out, in, 1, factor<T, 0>(x).data(), in, w.data(), in, bias ? 1.0f : 0.0f, y.data(), out);
}

template <class T>
void linear_backward(view<float const, 2> dy, view<float const, 2> x, view<T const, 2> w, float* dx, view<float, 2> dw, float* dbias, float onto = 0) {
    index_t const n = x.shape(0), in = x.shape(1), out = w.shape(0);
    assert(w.shape(1) == in && dy.shape(0) == n && dy.shape(1) == out && dw.shape() == w.shape());
    auto const upstream = factor<T, 0>(dy), input = factor<T, 1>(x);
    if (dx) gemm(cpu{}, false, false, n, in, out, 1, upstream.data(), out, w.data(), in, onto, dx, in);
    gemm(cpu{}, true, false, out, in, n, 1, upstream.data(), out, input.data(), in, 1, dw.data(), in);
    if (!dbias) return;
    auto const sums = column_sums(n, out, [=](index_t i, float* sum) {
        float const* const row = dy.data() + i * out;
        each_lanes(out, [=](index_t j, auto part) { store(sum + j, load(sum + j, part) + load(row + j, part), part); });
    });
    for (index_t j = 0; j < out; ++j) dbias[j] += sums[static_cast<std::size_t>(j)];
}

}  // namespace detail

/// y = x w^T + bias: x (N,I), w (O,I), bias (O) or null, y (N,O).
inline void linear_forward(cpu, view<float const, 2> x, view<float const, 2> w, float const* bias, view<float, 2> y) {
    detail::linear_forward(x, w, bias, y);
}
inline void linear_forward(cpu, view<float const, 2> x, view<bfloat16 const, 2> w, float const* bias, view<float, 2> y) {
    detail::linear_forward(x, w, bias, y);
}

/// dx (N,I) = dy w, unless null; dw (O,I) += dy^T x; dbias (O) += the sum of dy's rows, unless null.
inline void linear_backward(cpu, view<float const, 2> dy, view<float const, 2> x, view<float const, 2> w, float* dx,
                            view<float, 2> dw, float* dbias) {
    detail::linear_backward(dy, x, w, dx, dw, dbias);
}
inline void linear_backward(cpu, view<float const, 2> dy, view<float const, 2> x, view<bfloat16 const, 2> w, float* dx,
                            view<float, 2> dw, float* dbias) {
    detail::linear_backward(dy, x, w, dx, dw, dbias);
}
/// The same, but dx += dy w.
template <class T>
void linear_backward_onto(cpu, view<float const, 2> dy, view<float const, 2> x, view<T const, 2> w, float* dx, view<float, 2> dw, float* dbias) {
    detail::linear_backward(dy, x, w, dx, dw, dbias, 1);
}

}  // namespace attnlab
