#pragma once
#include <attnlab/kernels/cuda/launch.hpp>

/// \file
/// Rows in global memory, a warp a row: chunks of 32 numbers, one a lane.

namespace attnlab::gpu {

/// 32 adjacent numbers, one in each lane.
template <class Warp>
constexpr typename Warp::number load(float const* p) {
    return Warp::each_lane([&](int lane) { return p[lane]; });
}
/// The first n of them, as far as there are; the others are `fill`.
template <class Warp>
constexpr typename Warp::number load(float const* p, index_t n, float fill = 0) {
    return Warp::each_lane([&](int lane) { return lane < n ? p[lane] : fill; });
}
template <class Warp>
constexpr void store(float* p, typename Warp::number const& x) {
    Warp::visit([&](int lane, int i) { p[lane] = x.v[i]; });
}
template <class Warp>
constexpr void store(float* p, typename Warp::number const& x, index_t n) {
    Warp::visit([&](int lane, int i) {
        if (lane < n) p[lane] = x.v[i];
    });
}

/// Sum over the lanes of a warp or of a part of one, the same bits on the host and on a device.
template <class Warp>
constexpr float sum(typename Warp::number const& x) {
    return Warp::template butterfly<Warp::size, 1>(x, [](float a, float b) { return a + b; }).v[0];
}
template <class Warp>
constexpr float largest(typename Warp::number const& x) {
    return Warp::template butterfly<Warp::size, 1>(x, [](float a, float b) { return a > b ? a : b; }).v[0];
}

/// `body(i)` for the beginnings of the chunks of a row of n.
template <class Body>
constexpr void each_chunk(index_t n, Body body) {
    for (index_t i = 0; i < n; i += warp_size) body(i);
}

/// The kernel of `launch_rows`.
template <class RowProgram>
struct rows_kernel {
    static constexpr int warps = 4;
    index_t rows;
    RowProgram program;

    constexpr index_t shared_bytes() const { return 0; }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        block.each_warp([&](auto const& w) {
            if (index_t const row = id * warps + w.index(); row < rows) program(w, row);
        });
    }
};
/// `program(warp, row)` for each row, by a warp each. A program is an object with `template <class Warp> constexpr void operator()(Warp const&,
/// index_t row) const`, no lambda (nvcc names kernels by their types).
template <class Device, class RowProgram>
void launch_rows(Device device, index_t rows, RowProgram const& program) {
    constexpr int warps = rows_kernel<RowProgram>::warps;
    launch(device, rows_kernel<RowProgram>{rows, program}, (rows + warps - 1) / warps);
}

}  // namespace attnlab::gpu
