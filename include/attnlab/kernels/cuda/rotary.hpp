#pragma once
#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/cuda/rows.hpp>
#include <attnlab/kernels/rotation_angles.hpp>

namespace attnlab {

namespace gpu {
/// All heads at a position, a warp; a lane has a pair.
struct rotate_row {
    heads<float> x;
    index_t H, T, pairs;
    float const *cosines, *sines;
    bool neighbours;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t i) const {
        index_t const b = i / T, t = i % T;
        float* const row = x.data + b * x.batch + t * x.position;
        for (index_t first = 0; first < H * pairs; first += warp_size)
            Warp::visit([&](int lane, int) {
                index_t const at = first + lane, h = at / pairs, p = at % pairs;
                if (h >= H) return;
                float* const head = row + h * x.head;
                float& one = head[neighbours ? 2 * p : p];
                float& other = head[neighbours ? 2 * p + 1 : p + pairs];
                float const u = one, v = other, c = cosines[t * pairs + p], s = sines[t * pairs + p];
                one = u * c - v * s;
                other = v * c + u * s;
            });
    }
};
}  // namespace gpu

/// Turns the first channels of H heads in place, pair by pair, each by its angle at the row's position (RoPE, 2104.09864).
template <cuda_device Device>
void rotate_heads(Device device, heads<float> x, index_t B, index_t H, index_t T, rotation_angles<float> const& by) {
    gpu::launch_rows(device, B * T, gpu::rotate_row{x, H, T, by.pairs(), by.cosines.data(), by.sines.data(), by.neighbours});
}

}  // namespace attnlab
