#pragma once
#include <algorithm>
#include <cassert>
#include <cstddef>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/gemm.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

namespace attnlab {

/// y = x w^T + bias: x (N,I), w (O,I), bias (O) or null, y (N,O).
inline void linear_forward(cpu device, view<float const, 2> x, view<float const, 2> w, float const* bias, view<float, 2> y) {
    index_t const n = x.shape(0), in = x.shape(1), out = w.shape(0);
    assert(w.shape(1) == in && y.shape(0) == n && y.shape(1) == out);
    if (bias) each_row(n, out, [=](index_t i) { std::copy_n(bias, out, y.data() + i * out); });
    gemm(device, false, true, n, out, in, 1, x.data(), in, w.data(), in, bias ? 1.0f : 0.0f, y.data(), out);
}

/// dx (N,I) = dy w, unless null; dw (O,I) += dy^T x; dbias (O) += the sum of dy's rows, unless null.
inline void linear_backward(cpu device, view<float const, 2> dy, view<float const, 2> x, view<float const, 2> w, float* dx,
                            view<float, 2> dw, float* dbias) {
    index_t const n = x.shape(0), in = x.shape(1), out = w.shape(0);
    assert(w.shape(1) == in && dy.shape(0) == n && dy.shape(1) == out && dw.shape() == w.shape());
    if (dx) gemm(device, false, false, n, in, out, 1, dy.data(), out, w.data(), in, 0, dx, in);
    gemm(device, true, false, out, in, n, 1, dy.data(), out, x.data(), in, 1, dw.data(), in);
    if (!dbias) return;
    auto const sums = column_sums(n, out, [=](index_t i, float* sum) {
        float const* const row = dy.data() + i * out;
        each_lanes(out, [=](index_t j, auto part) { store(sum + j, load(sum + j, part) + load(row + j, part), part); });
    });
    for (index_t j = 0; j < out; ++j) dbias[j] += sums[static_cast<std::size_t>(j)];
}

}  // namespace attnlab
