#pragma once
#include <cassert>
#include <cmath>

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

}  // namespace attnlab
