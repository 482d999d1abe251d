#pragma once
#include <cassert>

#include <attnlab/core/device.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

namespace attnlab {

/// y = x
inline void copy(cpu, view<float const, 1> x, view<float, 1> y) {
    assert(x.size() == y.size());
    each_element(x.size(), [=](index_t i, auto part) { store(y.data() + i, load(x.data() + i, part), part); });
}

/// to = by from, rows of D numbers wherever they lie; `to` may be `from`. Also what moves columns of a matrix (a stride for each, and one head),
/// and, with a stride of 0, one row to many.
inline void copy_heads(cpu, heads<float const> from, heads<float> to, index_t B, index_t H, index_t T, index_t D, float by = 1) {
    each_row(B * T, H * D, [=](index_t i) {
        for (index_t h = 0; h < H; ++h) {
            float const* const in = from.row(i / T, h, i % T);
            float* const out = to.row(i / T, h, i % T);
            each_lanes(D, [=](index_t c, auto part) { store(out + c, by * load(in + c, part), part); });
        }
    });
}

}  // namespace attnlab
