#pragma once
#include <cassert>
#include <cmath>
#include <cstddef>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

namespace attnlab {

/// RMSNorm (1910.07467): y = x / sqrt(mean(x^2) + eps) (weight + offset) along each row. x, y (N,C); weight (C) or null, then 1. y may be x.
inline void rms_norm_forward(cpu, view<float const, 2> x, float const* weight, float offset, float eps, view<float, 2> y) {
    index_t const n = x.shape(0), c = x.shape(1);
    assert(x.shape() == y.shape());
    each_row(n, c, [=](index_t i) {
        float const* const in = x.data() + i * c;
        float* const out = y.data() + i * c;
        lanes squares = 0.0f;
        each_lanes(c, [&](index_t j, auto part) {
            lanes const v = load(in + j, part);
            squares = fma(v, v, squares);
        });
        float const r = 1 / std::sqrt(hsum(squares) / static_cast<float>(c) + eps);
        each_lanes(c, [&](index_t j, auto part) {
            lanes const scaled = load(in + j, part) * r;
            store(out + j, weight ? scaled * (load(weight + j, part) + offset) : scaled, part);
        });
    });
}

/// With r = 1 / sqrt(mean(x^2) + eps), h = x r and g = dy (weight + offset): dx += r (g - h mean of (g h)), the residual stream's gradient;
/// dweight += the sum of dy h over rows.
inline void rms_norm_backward(cpu, view<float const, 2> dy, view<float const, 2> x, float const* weight, float offset, float eps, view<float, 2> dx,
                              float* dweight) {
    index_t const n = x.shape(0), c = x.shape(1);
    assert(x.shape() == dy.shape() && x.shape() == dx.shape());
    auto const sums = column_sums(n, c, [=](index_t i, float* sum) {
        float const* const upstream = dy.data() + i * c;
        float const* const in = x.data() + i * c;
        float* const out = dx.data() + i * c;
        lanes squares = 0.0f, products = 0.0f;
        each_lanes(c, [&](index_t j, auto part) {
            lanes const v = load(in + j, part);
            squares = fma(v, v, squares);
            products = fma(v, load(upstream + j, part) * (load(weight + j, part) + offset), products);
        });
        float const share = 1 / static_cast<float>(c), r = 1 / std::sqrt(hsum(squares) * share + eps), mean_gh = hsum(products) * r * share;
        each_lanes(c, [&](index_t j, auto part) {
            lanes const d = load(upstream + j, part), h = load(in + j, part) * r;
            store(out + j, fma(d * (load(weight + j, part) + offset) - h * mean_gh, r, load(out + j, part)), part);
            store(sum + j, fma(d, h, load(sum + j, part)), part);
        });
    });
    for (index_t j = 0; j < c; ++j) dweight[j] += sums[static_cast<std::size_t>(j)];
}

}  // namespace attnlab
