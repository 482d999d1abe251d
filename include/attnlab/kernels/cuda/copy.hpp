#pragma once
#include <cassert>

#include <attnlab/core/heads.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/kernels/cuda/elements.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

namespace attnlab {

namespace gpu {
struct on_their_way;   ///< the purpose of memory

struct copy_rule {
    constexpr void operator()(element x, element& y) const { y = x; }
};

template <int N>
struct copied_row {
    heads<float const> from;
    heads<float> to;
    index_t H, T, D;
    float by;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        index_t const t = row % T, h = row / T % H, b = row / T / H;
        float const* const in = from.row(b, h, t);
        float* const out = to.row(b, h, t);
        each_wide<N>(D, [&](index_t i) { store<Warp, N>(out + i, load<Warp, N>(in + i, D - i) * wide<Warp, N>(by), D - i); });
    }
};
}  // namespace gpu

/// y = x
template <cuda_device Device>
void copy(Device device, view<float const, 1> x, view<float, 1> y) {
    assert(x.size() == y.size());
    gpu::each_element(device, x.size(), gpu::copy_rule{}, gpu::reads{x.data()}, gpu::writes{y.data()});
}

/// to = from, n numbers of the host, which may write over its own at once.
template <cuda_device Device, class T>
void take_from_host(Device device, T const* from, view<float, 1> to) {
    gpu::each_element(device, to.size(), gpu::copy_rule{}, gpu::reads{gpu::upload<gpu::on_their_way>(device, from, to.size())}, gpu::writes{to.data()});
}

/// to = by from, rows of D numbers wherever they lie; `to` may be `from`. Also what moves columns of a matrix (a stride for each, and one head),
/// and, with a stride of 0, one row to many.
template <cuda_device Device>
void copy_heads(Device device, heads<float const> from, heads<float> to, index_t B, index_t H, index_t T, index_t D, float by) {
    // Rows begin on sixteen bytes where all strides are a multiple of four.
    index_t const strides = from.batch | from.head | from.position | to.batch | to.head | to.position;
    gpu::with_width(D | strides, {from.data, to.data}, [&](auto n) { gpu::launch_rows(device, B * H * T, gpu::copied_row<n>{from, to, H, T, D, by}); });
}

}  // namespace attnlab
