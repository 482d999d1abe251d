#pragma once
#include <attnlab/core/device.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>
#include <attnlab/kernels/rotation_angles.hpp>

namespace attnlab {

/// Turns the first channels of H heads in place, pair by pair, each by its angle at the row's position (RoPE, 2104.09864).
inline void rotate_heads(cpu, heads<float> x, index_t B, index_t H, index_t T, rotation_angles<float> const& by) {
    index_t const pairs = by.pairs();
    each_row(B * T, H * pairs, [=, &by](index_t i) {
        float const *const c = by.cosines.data() + i % T * pairs, *const s = by.sines.data() + i % T * pairs;
        for (index_t h = 0; h < H; ++h) {
            float* const row = x.row(i / T, h, i % T);
            if (by.neighbours) {
                for (index_t p = 0; p < pairs; ++p) {
                    float const a = row[2 * p], b = row[2 * p + 1];
                    row[2 * p] = a * c[p] - b * s[p];
                    row[2 * p + 1] = b * c[p] + a * s[p];
                }
                continue;
            }
            each_lanes(pairs, [=](index_t p, auto part) {
                lanes const a = load(row + p, part), b = load(row + pairs + p, part), cosine = load(c + p, part), sine = load(s + p, part);
                store(row + p, a * cosine - b * sine, part);
                store(row + pairs + p, b * cosine + a * sine, part);
            });
        }
    });
}

}  // namespace attnlab
