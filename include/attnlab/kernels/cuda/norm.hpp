#pragma once
#include <cassert>

#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// LayerNorm (Ba, Kiros, Hinton 2016): y = (x - mean) rstd weight + bias along each row, rstd = 1 / sqrt(variance + eps).

namespace attnlab {

namespace gpu {

template <int N, class T>
struct layer_norm_row {
    float const *x, *weight, *bias;
    float eps;
    index_t c;
    T* y;
    float *mean, *rstd;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        using numbers = wide<Warp, N>;
        float const* const in = x + row * c;
        T* const out = y + row * c;
        float const share = 1 / static_cast<float>(c);
        numbers total(0.0f), squares(0.0f);
        each_wide<N>(c, [&](index_t i) { total += load<Warp, N>(in + i, c - i); });
        float const center = sum<Warp, N>(total) * share;
        each_wide<N>(c, [&](index_t i) {
            auto const d = load<Warp, N>(in + i, c - i, center) - numbers(center);
            squares += d * d;
        });
        float const r = 1 / elementary<Warp::held>::sqrt(sum<Warp, N>(squares) * share + eps);
        each_wide<N>(c, [&](index_t i) {
            auto scaled = (load<Warp, N>(in + i, c - i) - numbers(center)) * numbers(r) * load<Warp, N>(weight + i, c - i);
            if (bias) scaled += load<Warp, N>(bias + i, c - i);
            store<Warp, N>(out + i, scaled, c - i);
        });
        Warp::once([&] { mean[row] = center, rstd[row] = r; });
    }
};

/// A part of the rows: their dx, a warp a row, and then the sums down its columns, a warp some columns; dy and x are near by then.
template <int N>
struct layer_norm_backward_part {
    static constexpr int warps = 8;
    row_parts cut;
    float const *dy, *x, *weight, *mean, *rstd;
    index_t c;
    float *dx, *sums;   ///< sums (parts, 2 c): of dy h, then of dy

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
                wide<warp, N> sum_weight(0.0f), sum_bias(0.0f);
                for (index_t row = begin; row < end; ++row) {
                    auto const d = load<warp, N>(dy + row * c + at, c - at);
                    sum_weight += d * normalized<warp>(row, at);
                    sum_bias += d;
                }
                store<warp, N>(sums + part * 2 * c + at, sum_weight, c - at);
                store<warp, N>(sums + part * 2 * c + c + at, sum_bias, c - at);
            });
        });
    }

private:
    template <class Warp>
    constexpr wide<Warp, N> normalized(index_t row, index_t at) const {
        using numbers = wide<Warp, N>;
        float const center = mean[row];
        return (load<Warp, N>(x + row * c + at, c - at, center) - numbers(center)) * numbers(rstd[row]);
    }
    template <class Warp>
    constexpr void gradient_of_row(index_t row) const {
        using numbers = wide<Warp, N>;
        float const share = 1 / static_cast<float>(c), r = rstd[row];
        numbers sum_g(0.0f), sum_gh(0.0f);
        each_wide<N>(c, [&](index_t i) {
            auto const g = load<Warp, N>(dy + row * c + i, c - i) * load<Warp, N>(weight + i, c - i);
            sum_g += g;
            sum_gh += g * normalized<Warp>(row, i);
        });
        float const mean_g = sum<Warp, N>(sum_g) * share, mean_gh = sum<Warp, N>(sum_gh) * share;
        float* const out = dx + row * c;
        each_wide<N>(c, [&](index_t i) {
            auto const g = load<Warp, N>(dy + row * c + i, c - i) * load<Warp, N>(weight + i, c - i);
            auto const along = g - numbers(mean_g) - normalized<Warp>(row, i) * numbers(mean_gh);
            store<Warp, N>(out + i, load<Warp, N>(out + i, c - i) + numbers(r) * along, c - i);
        });
    }
};

template <class T, class Device>
void layer_norm_forward(Device device, view<float const, 2> x, float const* weight, float const* bias, float eps, view<T, 2> y, float* mean, float* rstd) {
    index_t const c = x.shape(1);
    assert(x.shape() == y.shape());
    with_width(c, {x.data(), weight, bias, y.data()}, [&](auto n) {
        launch_rows(device, x.shape(0), layer_norm_row<n, T>{x.data(), weight, bias, eps, c, y.data(), mean, rstd});
    });
}

}  // namespace gpu

/// x, y (N,C); weight (C); bias (C) or null; mean and rstd (N) are kept for the backward pass. y may be x, or of bfloat16, rounded.
template <cuda_device Device>
void layer_norm_forward(Device device, view<float const, 2> x, float const* weight, float const* bias, float eps, view<float, 2> y, float* mean,
                        float* rstd) {
    gpu::layer_norm_forward(device, x, weight, bias, eps, y, mean, rstd);
}
template <cuda_device Device>
void layer_norm_forward(Device device, view<float const, 2> x, float const* weight, float const* bias, float eps, view<bfloat16, 2> y, float* mean,
                        float* rstd) {
    gpu::layer_norm_forward(device, x, weight, bias, eps, y, mean, rstd);
}

/// With h = (x - mean) rstd and g = dy weight: dx += rstd (g - mean of g - h mean of (g h)), the residual stream's gradient;
/// dweight += the sum of dy h over rows; dbias += the sum of dy, unless null.
template <cuda_device Device>
void layer_norm_backward(Device device, view<float const, 2> dy, view<float const, 2> x, float const* weight, float const* mean,
                         float const* rstd, view<float, 2> dx, float* dweight, float* dbias) {
    index_t const c = x.shape(1);
    assert(x.shape() == dy.shape() && x.shape() == dx.shape());
    gpu::row_parts const cut(x.shape(0));
    auto* const sums = gpu::scratch<gpu::partial_sums, float>(device, cut.count * 2 * c);
    gpu::with_width(c, {dy.data(), x.data(), weight, dx.data()}, [&](auto n) {
        gpu::launch(device, gpu::layer_norm_backward_part<n>{cut, dy.data(), x.data(), weight, mean, rstd, c, dx.data(), sums}, cut.count);
    });
    gpu::launch_add_parts(device, sums, cut.count, 2 * c, c, dweight, dbias);
}

}  // namespace attnlab
