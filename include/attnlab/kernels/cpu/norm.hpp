#pragma once
#include <cassert>
#include <cmath>
#include <cstddef>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

/// \file
/// LayerNorm (Ba, Kiros, Hinton 2016): y = (x - mean) rstd weight + bias along each row, rstd = 1 / sqrt(variance + eps).

namespace attnlab {

/// x, y (N,C); weight (C); bias (C) or null; mean and rstd (N) are kept for the backward pass. y may be x.
inline void layer_norm_forward(cpu, view<float const, 2> x, float const* weight, float const* bias, float eps, view<float, 2> y,
                               float* mean, float* rstd) {
    index_t const n = x.shape(0), c = x.shape(1);
    assert(x.shape() == y.shape());
    each_row(n, c, [=](index_t i) {
        float const* const in = x.data() + i * c;
        float* const out = y.data() + i * c;
        lanes sum = 0.0f, squares = 0.0f;
        each_lanes(c, [&](index_t j, auto part) { sum += load(in + j, part); });
        float const center = hsum(sum) / static_cast<float>(c);
        each_lanes(c, [&](index_t j, auto part) {
            lanes const d = load(in + j, part, center) - center;
            squares = fma(d, d, squares);
        });
        float const r = 1 / std::sqrt(hsum(squares) / static_cast<float>(c) + eps);
        each_lanes(c, [&](index_t j, auto part) {
            lanes const scaled = (load(in + j, part) - center) * r * load(weight + j, part);
            store(out + j, bias ? scaled + load(bias + j, part) : scaled, part);
        });
        mean[i] = center;
        rstd[i] = r;
    });
}

/// With h = (x - mean) rstd and g = dy weight: dx += rstd (g - mean of g - h mean of (g h)), the residual stream's gradient;
/// dweight += the sum of dy h over rows; dbias += the sum of dy, unless null.
inline void layer_norm_backward(cpu, view<float const, 2> dy, view<float const, 2> x, float const* weight, float const* mean,
                                float const* rstd, view<float, 2> dx, float* dweight, float* dbias) {
    index_t const n = x.shape(0), c = x.shape(1);
    assert(x.shape() == dy.shape() && x.shape() == dx.shape());
    auto const sums = column_sums(n, 2 * c, [=](index_t i, float* sum_weight) {
        float* const sum_bias = sum_weight + c;
        float const* const upstream = dy.data() + i * c;
        float const* const in = x.data() + i * c;
        float* const out = dx.data() + i * c;
        float const center = mean[i], r = rstd[i], share = 1 / static_cast<float>(c);
        lanes sum_g = 0.0f, sum_gh = 0.0f;
        each_lanes(c, [&](index_t j, auto part) {
            lanes const d = load(upstream + j, part), h = (load(in + j, part) - center) * r, g = d * load(weight + j, part);
            sum_g += g;
            sum_gh = fma(g, h, sum_gh);
            store(sum_weight + j, fma(d, h, load(sum_weight + j, part)), part);
            store(sum_bias + j, load(sum_bias + j, part) + d, part);
        });
        float const mean_g = hsum(sum_g) * share, mean_gh = hsum(sum_gh) * share;
        each_lanes(c, [&](index_t j, auto part) {
            lanes const h = (load(in + j, part) - center) * r, g = load(upstream + j, part) * load(weight + j, part);
            store(out + j, fma(g - fma(h, mean_gh, mean_g), r, load(out + j, part)), part);
        });
    });
    for (index_t j = 0; j < c; ++j) dweight[j] += sums[static_cast<std::size_t>(j)];
    if (dbias)
        for (index_t j = 0; j < c; ++j) dbias[j] += sums[static_cast<std::size_t>(c + j)];
}

}  // namespace attnlab
