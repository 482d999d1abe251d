#pragma once
#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/cuda/rows.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>

namespace attnlab::gpu {

/// Rounds rows, times a factor, to the products' elements and lays them side by side, padded with zeros (see packed_rows): a warp a row.
template <class Products>
struct pack_program {
    heads<float const> from;
    typename Products::element* to;
    index_t heads_count, T, D, padded_T, padded_D;
    float factor;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        index_t const t = row % padded_T, h = row / padded_T % heads_count, b = row / padded_T / heads_count;
        float const* const x = t < T ? from.row(b, h, t) : nullptr;
        Warp::visit([&](int lane, int) {
            for (index_t c = lane; c < padded_D; c += warp_size) to[row * padded_D + c] = Products::round(x && c < D ? x[c] * factor : 0.0f);
        });
    }
};

/// (B, heads, T, D) packed into scratch memory of its own `Purpose`.
template <class Purpose, class Products, class Device>
packed_rows<Products> pack(Device device, heads<float const> from, index_t B, index_t count, index_t T, index_t D, int padded_D, float factor = 1) {
    index_t const padded_T = padded_length(T), rows = B * count * padded_T;
    auto* const to = scratch<Purpose, typename Products::element>(device, rows * padded_D);
    launch_rows(device, rows, pack_program<Products>{from, to, count, T, D, padded_T, padded_D, factor});
    return {to, count, padded_T, padded_D};
}

}  // namespace attnlab::gpu
