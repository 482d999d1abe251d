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
        auto const kept = hold<N>(c, [&](index_t i) { return load<Warp, N>(x + row * c + i, c - i); });
        numbers squares(0.0f);
        kept.each([&](index_t, numbers const& v) { squares += v * v; });
        float const r = 1 / elementary<Warp::held>::sqrt(sum<Warp, N>(squares) / static_cast<float>(c) + eps);
        kept.each([&](index_t i, numbers const& v) {
            auto scaled = v * numbers(r);
            if (weight) scaled = scaled * (load<Warp, N>(weight + i, c - i) + numbers(offset));
            store<Warp, N>(y + row * c + i, scaled, c - i);
        });
    }
};

struct inverse_roots;   ///< the purpose of memory

/// A part of the rows: their dx, a warp a row, and dweight's sums down the columns, as those of LayerNorm are made (kernels/cuda/norm.hpp).
template <int N>
struct rms_norm_backward_part {
    static constexpr int warps = 4;
    row_parts cut;
    float const *dy, *x, *weight;
    float offset, eps;
    index_t c;
    float *dx, *roots, *sums;   ///< roots (rows), sums (parts, c)

    using together = warp_sums<N, 1, warps>;
    constexpr index_t shared_bytes() const { return together::bytes; }
    template <class Block>
    constexpr void operator()(Block& block, index_t part) const {
        using warp = typename Block::warp;
        using numbers = wide<warp, N>;
        index_t const end = cut.end(part);
        auto const room = block.template shared<float>(together::size);
        block.each_warp([&](auto const& w) {
            typename together::template own<warp> sum;
            for (index_t row = cut.begin(part) + w.index(); row < end; row += warps) {
                auto const kept = hold<N>(c, [&](index_t i) { return read<warp>(row, i); });
                float const r = add_gradient<warp>(kept, dx + row * c);
                unrolled<held_pieces>([&](int k) { sum.of[k] += kept[k].dy * kept[k].x * numbers(r); });
                warp::once([&] { roots[row] = r; });
            }
            together::put(w, room, 0, sum);
        });
        block.each_warp([&](auto const& w) {
            together::finish(w, room, cut, part, c, sums + part * c, [&](index_t row, index_t at, auto& sum) {
                auto const p = read<warp>(row, at);
                sum[0] += p.dy * p.x * numbers(roots[row]);
            });
        });
    }

private:
    template <class Warp>
    struct piece {
        wide<Warp, N> dy, x, g, dx;
    };
    template <class Warp>
    constexpr piece<Warp> read(index_t row, index_t i) const {
        index_t const at = row * c + i, left = c - i;
        auto const upstream = load<Warp, N>(dy + at, left);
        return {upstream, load<Warp, N>(x + at, left), upstream * (load<Warp, N>(weight + i, left) + wide<Warp, N>(offset)), load<Warp, N>(dx + at, left)};
    }
    /// Returns 1 / sqrt(mean of x^2 + eps).
    template <class Warp, class Row>
    constexpr float add_gradient(Row const& row, float* to) const {
        using numbers = wide<Warp, N>;
        float const share = 1 / static_cast<float>(c);
        numbers squares(0.0f), products(0.0f);
        row.each([&](index_t, piece<Warp> const& p) {
            squares += p.x * p.x;
            products += p.x * p.g;
        });
        float const r = 1 / elementary<Warp::held>::sqrt(sum<Warp, N>(squares) * share + eps), mean_gh = sum<Warp, N>(products) * r * share;
        row.each([&](index_t i, piece<Warp> const& p) {
            store<Warp, N>(to + i, p.dx + numbers(r) * (p.g - p.x * numbers(r * mean_gh)), c - i);
        });
        return r;
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
    gpu::launch_add_parts(device, sums, {cut.count, c}, c, dweight);
}

}  // namespace attnlab
