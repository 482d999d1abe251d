#pragma once
#include <cassert>
#include <type_traits>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/tfloat32.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/copy.hpp>
#include <attnlab/kernels/cuda/elements.hpp>
#include <attnlab/kernels/cuda/gemm.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>

/// \file
/// Products with a layer's weights. Where these come rounded to bfloat16, what they meet is rounded as well, and sums stay in float; where they
/// come as tfloat32, tensor cores round both.

namespace attnlab {

/// to = from, rounded to nearest (ties to even).
template <cuda_device Device>
void round(Device device, view<float const, 1> from, view<bfloat16, 1> to) {
    assert(from.size() == to.size());
    gpu::each_element(device, from.size(), gpu::copy_rule{}, gpu::reads{from.data()}, gpu::writes{to.data()});
}

namespace gpu {

struct rounded_input;   // purposes of memory
struct rounded_upstream;
struct rounded_bias;

/// x as a factor of T: itself, or rounded to bfloat16, in memory to work in.
template <class Purpose, class T, class X, class Device>
view<T const, 2> factor(Device device, view<X const, 2> x) {
    if constexpr (std::is_same_v<T, X>) {
        return x;
    } else if constexpr (std::is_same_v<T, tfloat32>) {
        return {reinterpret_cast<T const*>(x.data()), x.shape()};
    } else {
        T* const rounded = scratch<Purpose, T>(device, x.size());
        round(device, x.reshaped(std::array{x.size()}), view<T, 1>(rounded, {x.size()}));
        return {rounded, x.shape()};
    }
}

/// A bias as products add it to numbers of T.
template <class T, class Device>
T const* bias_for(Device device, float const* bias, index_t n) {
    if constexpr (std::is_same_v<T, float>)
        return bias;
    else
        return bias ? factor<rounded_bias, T>(device, view<float const, 2>(bias, {1, n})).data() : nullptr;
}

}  // namespace gpu

/// y = x w^T + bias: x (N,I), w (O,I), bias (O) or null, y (N,O). x is of float, or rounded as w is; y then may be too.
template <cuda_device Device, class X, class T, class Y>
void linear_forward(Device device, view<X const, 2> x, view<T const, 2> w, float const* bias, view<Y, 2> y) {
    index_t const n = x.shape(0), in = x.shape(1), out = w.shape(0);
    assert(w.shape(1) == in && y.shape(0) == n && y.shape(1) == out);
    gpu::multiply_rows(device, false, true, n, out, in, 1, gpu::factor<gpu::rounded_input, T>(device, x).data(), in, w.data(), in, 0, y.data(), y.data(), out,
                       gpu::bias_for<Y>(device, bias, out));
}
/// y = x w^T + bias as above and post = gelu(y), in its tanh form, of one product. post may be that of y before it was rounded.
template <cuda_device Device>
void linear_gelu_forward(Device device, view<bfloat16 const, 2> x, view<bfloat16 const, 2> w, float const* bias, view<bfloat16, 2> y, view<bfloat16, 2> post) {
    index_t const n = x.shape(0), in = x.shape(1), out = w.shape(0);
    assert(w.shape(1) == in && y.shape(0) == n && y.shape(1) == out && post.shape() == y.shape());
    gpu::multiply_rows(device, false, true, n, out, in, 1, x.data(), in, w.data(), in, 0, post.data(), post.data(), out, gpu::bias_for<bfloat16>(device, bias, out), y.data());
}
/// y = onto + x w^T + bias, as linear_forward otherwise: the product's library adds.
template <cuda_device Device, class X, class T>
void linear_forward_onto(Device device, view<float const, 2> onto, view<X const, 2> x, view<T const, 2> w, float const* bias, view<float, 2> y) {
    index_t const n = x.shape(0), in = x.shape(1), out = w.shape(0);
    assert(w.shape(1) == in && y.shape(0) == n && y.shape(1) == out && onto.shape() == y.shape());
    gpu::multiply_rows(device, false, true, n, out, in, 1, gpu::factor<gpu::rounded_input, T>(device, x).data(), in, w.data(), in, 1, onto.data(), y.data(), out, bias);
}

namespace gpu {
template <class Device, class Y, class X, class T, class D>
void linear_backward(Device device, view<Y const, 2> dy, view<X const, 2> x, view<T const, 2> w, D* dx, view<float, 2> dw, float* dbias, float onto) {
    index_t const n = x.shape(0), in = x.shape(1), out = w.shape(0);
    assert(w.shape(1) == in && dy.shape(0) == n && dy.shape(1) == out && dw.shape() == w.shape());
    view<T const, 2> upstream;
    if constexpr (std::is_same_v<T, bfloat16> && std::is_same_v<Y, float>)
        if (dbias) {   // dy is read once for its rounding and its sums
            T* const rounded = gpu::scratch<gpu::rounded_upstream, T>(device, dy.size());
            gpu::add_column_sums(device, dy, dbias, rounded);
            upstream = {rounded, dy.shape()};
        }
    if (upstream.empty()) {
        upstream = gpu::factor<gpu::rounded_upstream, T>(device, dy);
        if (dbias) gpu::add_column_sums(device, dy, dbias);
    }
    auto const input = gpu::factor<gpu::rounded_input, T>(device, x);
    if (dx) gpu::multiply_rows(device, false, false, n, in, out, 1, upstream.data(), out, w.data(), in, onto, dx, dx, in, nullptr);
    gemm(device, true, false, out, in, n, 1, upstream.data(), out, input.data(), in, 1, dw.data(), in);
}
}  // namespace gpu

/// dx (N,I) = dy w, unless null; dw (O,I) += dy^T x; dbias (O) += the sum of dy's rows, unless null. dy, x and dx are of float, or rounded as w is.
template <cuda_device Device, class Y, class X, class T, class D>
void linear_backward(Device device, view<Y const, 2> dy, view<X const, 2> x, view<T const, 2> w, D* dx, view<float, 2> dw, float* dbias) {
    gpu::linear_backward(device, dy, x, w, dx, dw, dbias, 0);
}
/// The same, but dx += dy w: the product's library adds.
template <cuda_device Device, class Y, class X, class T, class D>
void linear_backward_onto(Device device, view<Y const, 2> dy, view<X const, 2> x, view<T const, 2> w, D* dx, view<float, 2> dw, float* dbias) {
    gpu::linear_backward(device, dy, x, w, dx, dw, dbias, 1);
}

}  // namespace attnlab
