#pragma once
#include <cassert>

#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

namespace attnlab {

namespace gpu {
template <int N>
struct rms_norm_row {
    float const *x, *weight;
    float offset, eps;
    index_t c;
    float* y;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        using numbers = wide<Warp, N>;
        numbers squares(0.0f);
        each_wide<N>(c, [&](index_t i) {
            auto const v = load<Warp, N>(x + row * c + i, c - i);
            squares += v * v;
        });
        float const r = 1 / elementary<Warp::held>::sqrt(sum<Warp, N>(squares) / static_cast<float>(c) + eps);
        each_wide<N>(c, [&](index_t i) {
            auto scaled = load<Warp, N>(x + row * c + i, c - i) * numbers(r);
            if (weight) scaled = scaled * (load<Warp, N>(weight + i, c - i) + numbers(offset));
            store<Warp, N>(y + row * c + i, scaled, c - i);
        });
    }
};
}  // namespace gpu

/// RMSNorm (1910.07467): y = x / sqrt(mean(x^2) + eps) (weight + offset) along each row. x, y (N,C); weight (C) or null, then 1. y may be x.
template <cuda_device Device>
void rms_norm_forward(Device device, view<float const, 2> x, float const* weight, float offset, float eps, view<float, 2> y) {
    index_t const c = x.shape(1);
    assert(x.shape() == y.shape());
    gpu::with_width(c, {x.data(), weight, y.data()}, [&](auto n) {
        gpu::launch_rows(device, x.shape(0), gpu::rms_norm_row<n>{x.data(), weight, offset, eps, c, y.data()});
    });
}

}  // namespace attnlab
