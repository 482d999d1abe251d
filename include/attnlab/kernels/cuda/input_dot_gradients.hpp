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

/// From dy (n, outputs), of at most `Most` outputs: dx = dy w, or is added to, and the parts' dy^T x. A block has 128 channels, or 64, of which a lane keeps four or two of each row of w and
/// of its gradient, and a part of the rows, shared by its warps.
template <class X, class D, int Most>
struct input_dot_gradients {
    static constexpr int N = Most > 12 ? 2 : 4, warps = 4, resident = Most == 16 ? 4 : 3;
    static constexpr int rows = Most > 16 ? 1 : N * sizeof(X) > 8 ? 3 : 4;   ///< at once, what a lane waits for together: as many as registers have room for
    static constexpr int channels = N * warp_size;
    X const* x;
    float const *w, *dy;
    D* dx;          ///< (n, c), or null
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
            auto next = read<warp>(begin, end, first);
            for (index_t t = begin; t < end; t += rows) {
                auto const now = next;
                next = read<warp>(t + rows, end, first);   // on its way while this is used
                use<warp>(now, t, end, first, factor, total);
            }
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
    template <class Warp>
    struct rows_of_both {
        lanes_of<X, N * Warp::held> x[rows];
        typename Warp::number d[rows];   ///< of lane o: by output o
    };
    /// Rows t, ... before `end`; of those beyond x is another row, and d 0.
    template <class Warp>
    constexpr rows_of_both<Warp> read(index_t t, index_t end, index_t first) const {
        rows_of_both<Warp> r;
        unrolled<rows>([&](int k) {
            index_t const row = t + k < end ? t + k : n - 1;
            r.x[k] = load_stored<Warp, N>(x + row * c + first, c - first);
            r.d[k] = load<Warp>(dy + row * outputs, t + k < end ? outputs : 0);
        });
        return r;
    }
    template <class Warp>
    constexpr void use(rows_of_both<Warp> const& of, index_t t, index_t end, index_t first, wide<Warp, N> const (&factor)[Most], wide<Warp, N> (&total)[Most]) const {
        unrolled<rows>([&](int r) {
            if (t + r >= end) return;
            D* const to = dx ? dx + (t + r) * c + first : nullptr;
            wide<Warp, N> by_x = to && add ? load<Warp, N>(to, c - first) : wide<Warp, N>(0.0f);
            wide<Warp, N> const row = as_numbers(of.x[r]);
            unrolled<Most>([&](int o) {
                wide<Warp, N> const by(Warp::of_lane(of.d[r], o));
                by_x = by_x + by * factor[o];
                total[o] = total[o] + by * row;
            });
            if (to) store<Warp, N>(to, by_x, c - first);
        });
    }
};

struct for_dot_gradients;

/// Whether it was few enough columns, of rows on sixteen bytes: then dx is made, or added to, unless it is null, and dw added to.
template <class Device, class X, class D>
bool add_few(Device device, X const* x, float const* w, float const* dy, D* dx, bool add, float* dw, index_t n, index_t c, index_t outputs) {
    return takes_wide<4>(c, {x, w, dx}) && with_few(outputs, [&]<int Most>(std::integral_constant<int, Most>) {
        input_dot_gradients<X, D, Most> kernel{x, w, dy, dx, add, nullptr, n, c, outputs};
        kernel.parts = scratch<for_dot_gradients, float>(device, kernel.count() * outputs * c);
        launch(device, kernel, kernel.blocks());
        launch_add_parts(device, kernel.parts, {kernel.count(), outputs * c}, outputs * c, dw);
        return true;
    });
}
#ifdef __CUDACC__
extern template bool add_few(cuda, float const*, float const*, float const*, float*, bool, float*, index_t, index_t, index_t);
extern template bool add_few(cuda, bfloat16 const*, float const*, float const*, float*, bool, float*, index_t, index_t, index_t);
extern template bool add_few(cuda, bfloat16 const*, float const*, float const*, bfloat16*, bool, float*, index_t, index_t, index_t);
#endif

}  // namespace attnlab::gpu
