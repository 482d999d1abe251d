#pragma once
#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/input_dots.hpp>
#include <attnlab/kernels/cuda/row_lanes.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// The way back through y = x w^T of few columns (input_dots.hpp): gradients by x and by w at once, for which a library's products would read x and write its gradient with most of
/// their multipliers idle.

namespace attnlab::gpu {

/// From dy (n, outputs), of at most `Most` outputs: dx = dy w, or is added to, and the parts' dy^T x. A block has 64 channels, of which a lane keeps two of each row of w and of its
/// gradient, and a part of the rows, shared by its warps.
template <int Most>
struct input_dot_gradients {
    static constexpr int N = 2, warps = 4, resident = Most > 16 ? 3 : Most > 12 ? 4 : 5, rows = Most > 16 ? 2 : 4;   ///< rows at once: what a lane waits for together
    static constexpr int channels = N * warp_size;
    float const *x, *w, *dy;
    float* dx;      ///< (n, c), or null
    bool add;       ///< to what is there
    float* parts;   ///< (parts, outputs, c), assigned
    index_t n, c, outputs;

    constexpr index_t slices() const { return (c + channels - 1) / channels; }
    /// Parts, as many as an H100 has blocks of at once, or fewer.
    constexpr index_t count() const {
        index_t const at_once = resident * multiprocessors / slices(), most = at_once > 0 ? at_once : 1, needed = (n + warps * rows - 1) / (warps * rows);
        return needed < most ? needed : most;
    }
    constexpr index_t blocks() const { return count() * slices(); }
    constexpr index_t shared_bytes() const { return warps * Most * channels * static_cast<index_t>(sizeof(float)); }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        index_t const part = id / slices(), first = id % slices() * channels, length = (n + count() * warps - 1) / (count() * warps);
        auto const sums = block.template shared<float>(warps * Most * channels);
        block.each_warp([&](warp const& w_) {
            wide<warp, N> factor[Most], total[Most];
            unrolled<Most>([&](int o) {
                factor[o] = load<warp, N>(w + (o < outputs ? o : 0) * c + first, o < outputs ? c - first : 0);
                total[o] = wide<warp, N>(0.0f);
            });
            index_t const begin = (part * warps + w_.index()) * length, end = begin + length < n ? begin + length : n;
            for (index_t t = begin; t < end; t += rows) some<warp>(t, end, first, factor, total);
            float* const mine = sums.writes(w_, w_.index() * Most * channels, Most * channels);
            unrolled<Most>([&](int o) { row_lanes<warp, N>::store(mine + o * channels, total[o]); });
        });
        block.each_warp([&](warp const& w_) {
            for (int o = w_.index(); o < outputs; o += warps) {
                wide<warp, N> sum(0.0f);
                for (int k = 0; k < warps; ++k) sum = sum + load<warp, N>(sums.reads(w_, (k * Most + o) * channels, channels), channels);
                store<warp, N>(parts + (part * outputs + o) * c + first, sum, c - first);
            }
        });
    }

private:
    /// Rows t, ... before `end`.
    template <class Warp>
    constexpr void some(index_t t, index_t end, index_t first, wide<Warp, N> const (&factor)[Most], wide<Warp, N> (&total)[Most]) const {
        wide<Warp, N> of_row[rows];
        typename Warp::number d[rows];   // of lane o: by output o
        unrolled<rows>([&](int r) {
            index_t const row = t + r < end ? t + r : t;
            of_row[r] = load<Warp, N>(x + row * c + first, c - first);
            d[r] = load<Warp>(dy + row * outputs, t + r < end ? outputs : 0);
        });
        unrolled<rows>([&](int r) {
            if (t + r >= end) return;
            float* const to = dx ? dx + (t + r) * c + first : nullptr;
            wide<Warp, N> by_x = to && add ? load<Warp, N>(to, c - first) : wide<Warp, N>(0.0f);
            unrolled<Most>([&](int o) {
                wide<Warp, N> const by(Warp::of_lane(d[r], o));
                by_x = by_x + by * factor[o];
                total[o] = total[o] + by * of_row[r];
            });
            if (to) store<Warp, N>(to, by_x, c - first);
        });
    }
};

struct for_dot_gradients;

/// Whether it was few enough columns, of rows on sixteen bytes: then dx is made, or added to, unless it is null, and dw added to.
template <class Device>
bool add_few(Device device, float const* x, float const* w, float const* dy, float* dx, bool add, float* dw, index_t n, index_t c, index_t outputs) {
    return takes_wide<4>(c, {x, w, dx}) && with_few(outputs, [&]<int Most>(std::integral_constant<int, Most>) {
        input_dot_gradients<Most> kernel{x, w, dy, dx, add, nullptr, n, c, outputs};
        kernel.parts = scratch<for_dot_gradients, float>(device, kernel.count() * outputs * c);
        launch(device, kernel, kernel.blocks());
        launch_add_parts(device, kernel.parts, {kernel.count(), outputs * c}, outputs * c, dw);
        return true;
    });
}

}  // namespace attnlab::gpu
