#pragma once
#include <cassert>

#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
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
    float *mean, *rstd, *whole;   ///< y once more, as floats, or null

    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        using numbers = wide<Warp, N>;
        float const* const in = x + row * c;
        T* const out = y + row * c;
        float const share = 1 / static_cast<float>(c);
        auto const kept = hold<N>(c, [&](index_t i) { return load<Warp, N>(in + i, c - i); });
        numbers total(0.0f), squares(0.0f);
        kept.each([&](index_t, numbers const& v) { total += v; });
        float const center = sum<Warp, N>(total) * share;
        kept.each([&](index_t i, numbers const& v) {
            auto const d = first<Warp, N>(v - numbers(center), c - i);
            squares += d * d;
        });
        float const r = 1 / elementary<Warp::held>::sqrt(sum<Warp, N>(squares) * share + eps);
        kept.each([&](index_t i, numbers const& v) {
            auto scaled = (v - numbers(center)) * numbers(r) * load<Warp, N>(weight + i, c - i);
            if (bias) scaled += load<Warp, N>(bias + i, c - i);
            store<Warp, N>(out + i, scaled, c - i);
            if (whole) store<Warp, N>(whole + row * c + i, scaled, c - i);
        });
        Warp::once([&] { mean[row] = center, rstd[row] = r; });
    }
};

/// A part of the rows: their dx, a warp a row, and the sums down the columns. `rounded_dx` is dx once more, or null.
template <int N, class T>
struct layer_norm_backward_part {
    static constexpr int warps = 4;
    row_parts cut;
    T const* dy;
    float const *x, *weight, *mean, *rstd;
    index_t c;
    float* dx;
    bfloat16* rounded_dx;
    float* sums;   ///< (parts, 3, c): of dy h, of dy, of dx
    bool sums_dx;  ///< the third is asked for

    using together = warp_sums<N, 3, warps>;
    constexpr index_t shared_bytes() const { return together::bytes; }
    template <class Block>
    constexpr void operator()(Block& block, index_t part) const {
        using warp = typename Block::warp;
        index_t const end = cut.end(part);
        auto const room = block.template shared<float>(together::size);
        block.each_warp([&](auto const& w) {
            typename together::template own<warp> of_weight, of_bias;
            together::put(w, room, 2, of_bias);   // zeros: registers have no room for the third
            for (index_t row = cut.begin(part) + w.index(); row < end; row += warps) {
                float const center = mean[row], r = rstd[row];
                auto kept = hold<N>(c, [&](index_t i) { return read<warp>(row, i, center, r); });
                unrolled<held_pieces>([&](int k) {
                    of_weight.of[k] += kept[k].dy * kept[k].h;
                    of_bias.of[k] += kept[k].dy;
                });
                add_gradient<warp>(kept, r, row * c);
                if (sums_dx)
                    unrolled<held_pieces>([&](int k) {
                        if (k * N * warp_size < c) together::add(w, room, 2, k, kept[k].dx);
                    });
            }
            together::put(w, room, 0, of_weight);
            together::put(w, room, 1, of_bias);
        });
        block.each_warp([&](auto const& w) {
            together::finish(w, room, cut, part, c, sums + part * 3 * c, [&](index_t row, index_t at, auto& sum) {
                auto const p = read<warp>(row, at, mean[row], rstd[row]);   // dx among it, as it is by now
                sum[0] += p.dy * p.h;
                sum[1] += p.dy;
                sum[2] += p.dx;
            });
        });
    }

private:
    /// dx comes along, so that all of a row is on its way at once.
    template <class Warp>
    struct piece {
        wide<Warp, N> dy, h, g, dx;
    };
    template <class Warp>
    constexpr piece<Warp> read(index_t row, index_t i, float center, float r) const {
        using numbers = wide<Warp, N>;
        index_t const at = row * c + i, left = c - i;
        auto const upstream = load<Warp, N>(dy + at, left);
        return {upstream, (load<Warp, N>(x + at, left) - numbers(center)) * numbers(r), upstream * load<Warp, N>(weight + i, left), load<Warp, N>(dx + at, left)};
    }
    /// Its pieces' dx as well.
    template <class Warp, class Row>
    constexpr void add_gradient(Row& row, float r, index_t first) const {
        using numbers = wide<Warp, N>;
        float const share = 1 / static_cast<float>(c);
        numbers sum_g(0.0f), sum_gh(0.0f);
        row.each([&](index_t, piece<Warp> const& p) {
            sum_g += p.g;
            sum_gh += p.g * p.h;
        });
        float const mean_g = sum<Warp, N>(sum_g) * share, mean_gh = sum<Warp, N>(sum_gh) * share;
        row.each([&](index_t i, piece<Warp>& p) {
            p.dx += numbers(r) * (p.g - numbers(mean_g) - p.h * numbers(mean_gh));
            store<Warp, N>(dx + first + i, p.dx, c - i);
            if (rounded_dx) store<Warp, N>(rounded_dx + first + i, p.dx, c - i);
        });
    }
};

template <class T, class Device>
void layer_norm_forward(Device device, view<float const, 2> x, float const* weight, float const* bias, float eps, view<T, 2> y, float* mean, float* rstd, float* whole) {
    index_t const c = x.shape(1);
    assert(x.shape() == y.shape());
    with_width(c, {x.data(), weight, bias, y.data(), whole}, [&](auto n) {
        launch_rows(device, x.shape(0), layer_norm_row<n, T>{x.data(), weight, bias, eps, c, y.data(), mean, rstd, whole});
    });
}

template <class T, class Device>
void layer_norm_backward(Device device, view<T const, 2> dy, view<float const, 2> x, float const* weight, float const* mean, float const* rstd, view<float, 2> dx,
                         float* dweight, float* dbias, bfloat16* rounded_dx, float* dx_sums) {
    index_t const c = x.shape(1);
    assert(x.shape() == dy.shape() && x.shape() == dx.shape());
    row_parts const cut(x.shape(0));
    auto* const sums = scratch<partial_sums, float>(device, cut.count * 3 * c);
    with_width(c, {dy.data(), x.data(), weight, dx.data(), rounded_dx}, [&](auto n) {
        launch(device, layer_norm_backward_part<n, T>{cut, dy.data(), x.data(), weight, mean, rstd, c, dx.data(), rounded_dx, sums, dx_sums != nullptr}, cut.count);
    });
    launch_add_parts(device, sums, {cut.count, 3 * c}, c, dweight, dbias, dx_sums);
}

}  // namespace gpu

/// x, y (N,C); weight (C); bias (C) or null; mean and rstd (N) are kept for the backward pass. y may be x, or of bfloat16, rounded, and then `whole` (N,C) what was rounded, unless null.
template <cuda_device Device>
void layer_norm_forward(Device device, view<float const, 2> x, float const* weight, float const* bias, float eps, view<float, 2> y, float* mean,
                        float* rstd) {
    gpu::layer_norm_forward(device, x, weight, bias, eps, y, mean, rstd, nullptr);
}
template <cuda_device Device>
void layer_norm_forward(Device device, view<float const, 2> x, float const* weight, float const* bias, float eps, view<bfloat16, 2> y, float* mean,
                        float* rstd, float* whole) {
    gpu::layer_norm_forward(device, x, weight, bias, eps, y, mean, rstd, whole);
}

/// With h = (x - mean) rstd and g = dy weight: dx += rstd (g - mean of g - h mean of (g h)), the residual stream's gradient;
/// dweight += the sum of dy h over rows; dbias += the sum of dy, unless null. dy may be of bfloat16.
/// For the Linear that takes dx for its upstream next: rounded_dx, of dx's shape, is dx rounded, and dx_sums (C) += the sums of dx, each unless null.
template <cuda_device Device>
void layer_norm_backward(Device device, view<float const, 2> dy, view<float const, 2> x, float const* weight, float const* mean,
                         float const* rstd, view<float, 2> dx, float* dweight, float* dbias, bfloat16* rounded_dx, float* dx_sums) {
    gpu::layer_norm_backward(device, dy, x, weight, mean, rstd, dx, dweight, dbias, rounded_dx, dx_sums);
}
template <cuda_device Device>
void layer_norm_backward(Device device, view<bfloat16 const, 2> dy, view<float const, 2> x, float const* weight, float const* mean,
                         float const* rstd, view<float, 2> dx, float* dweight, float* dbias, bfloat16* rounded_dx, float* dx_sums) {
    gpu::layer_norm_backward(device, dy, x, weight, mean, rstd, dx, dweight, dbias, rounded_dx, dx_sums);
}

}  // namespace attnlab
