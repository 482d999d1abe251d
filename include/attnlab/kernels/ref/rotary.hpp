#pragma once
#include <attnlab/core/device.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/rotation_angles.hpp>

namespace attnlab {

/// Turns the first channels of H heads in place, pair by pair, each by its angle at the row's position (RoPE, 2104.09864).
inline void rotate_heads(ref, heads<double> x, index_t B, index_t H, index_t T, rotation_angles<double> const& by) {
    index_t const pairs = by.pairs();
    for (index_t b = 0; b < B; ++b)
        for (index_t h = 0; h < H; ++h)
            for (index_t t = 0; t < T; ++t)
                for (index_t p = 0; p < pairs; ++p) {
                    double& first = x.row(b, h, t)[by.neighbours ? 2 * p : p];
                    double& second = x.row(b, h, t)[by.neighbours ? 2 * p + 1 : p + pairs];
                    double const turned = first * by.cosines(t, p) - second * by.sines(t, p);
                    second = second * by.cosines(t, p) + first * by.sines(t, p);
                    first = turned;
                }
}

}  // namespace attnlab
