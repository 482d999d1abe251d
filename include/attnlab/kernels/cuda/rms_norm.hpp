#pragma once
#include <cassert>

#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/column_sums.hpp>
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

struct inverse_roots;   ///< the purpose of memory

/// A part of the rows: their dx, a warp a row, and then dweight's sums down its columns, a warp some columns.
template <int N>
struct rms_norm_backward_part {
    static constexpr int warps = 8;
    row_parts cut;
    float const *dy, *x, *weight;
    float offset, eps;
    index_t c;
    float *dx, *roots, *sums;   ///< roots (rows), sums (parts, c)

    constexpr index_t shared_bytes() const { return 0; }
    template <class Block>
    constexpr void operator()(Block& block, index_t part) const {
        using warp = typename Block::warp;
        index_t const begin = cut.begin(part), end = cut.end(part);
        block.each_warp([&](auto const& w) {
            for (index_t row = begin + w.index(); row < end; row += warps) gradient_of_row<warp>(row);
        });
        block.each_warp([&](auto const& w) {
            each_column<N, warps>(w, c, [&](index_t at) {
                wide<warp, N> sum(0.0f);
                for (index_t row = begin; row < end; ++row)
                    sum += load<warp, N>(dy + row * c + at, c - at) * load<warp, N>(x + row * c + at, c - at) * wide<warp, N>(roots[row]);
                store<warp, N>(sums + part * c + at, sum, c - at);
            });
        });
    }

private:
    template <class Warp>
    constexpr void gradient_of_row(index_t row) const {
        using numbers = wide<Warp, N>;
        float const *const in = x + row * c, *const upstream = dy + row * c;
        float const share = 1 / static_cast<float>(c);
        numbers squares(0.0f), products(0.0f);
        each_wide<N>(c, [&](index_t i) {
            auto const v = load<Warp, N>(in + i, c - i);
            squares += v * v;
            products += v * load<Warp, N>(upstream + i, c - i) * (load<Warp, N>(weight + i, c - i) + numbers(offset));
        });
        float const r = 1 / elementary<Warp::held>::sqrt(sum<Warp, N>(squares) * share + eps), mean_gh = sum<Warp, N>(products) * r * share;
        float* const out = dx + row * c;
        each_wide<N>(c, [&](index_t i) {
            auto const g = load<Warp, N>(upstream + i, c - i) * (load<Warp, N>(weight + i, c - i) + numbers(offset));
            auto const along = g - load<Warp, N>(in + i, c - i) * numbers(r * mean_gh);
            store<Warp, N>(out + i, load<Warp, N>(out + i, c - i) + numbers(r) * along, c - i);
        });
        Warp::once([&] { roots[row] = r; });
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

/// With r = 1 / sqrt(mean(x^2) + eps), h = x r and g = dy (weight + offset): dx += r (g - h mean of (g h)), the residual stream's gradient;
/// dweight += the sum of dy h over rows.
template <cuda_device Device>
void rms_norm_backward(Device device, view<float const, 2> dy, view<float const, 2> x, float const* weight, float offset, float eps, view<float, 2> dx,
                       float* dweight) {
    index_t const n = x.shape(0), c = x.shape(1);
    assert(x.shape() == dy.shape() && x.shape() == dx.shape());
    gpu::row_parts const cut(n);
    auto* const sums = gpu::scratch<gpu::partial_sums, float>(device, cut.count * c);
    auto* const roots = gpu::scratch<gpu::inverse_roots, float>(device, n);
    gpu::with_width(c, {dy.data(), x.data(), weight, dx.data()}, [&](auto width) {
        gpu::launch(device, gpu::rms_norm_backward_part<width>{cut, dy.data(), x.data(), weight, offset, eps, c, dx.data(), roots, sums}, cut.count);
    });
    gpu::launch_add_parts(device, sums, cut.count, c, c, dweight, nullptr);
}

}  // namespace attnlab
