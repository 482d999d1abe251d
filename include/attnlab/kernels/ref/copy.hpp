#pragma once
#include <algorithm>
#include <cassert>

#include <attnlab/core/device.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/core/view.hpp>

namespace attnlab {

/// y = x
inline void copy(ref, view<double const, 1> x, view<double, 1> y) {
    assert(x.size() == y.size());
    std::copy(x.begin(), x.end(), y.begin());
}

/// to = by from, rows of D numbers; `to` may be `from`.
inline void copy_heads(ref, heads<double const> from, heads<double> to, index_t B, index_t H, index_t T, index_t D, double by = 1) {
    for (index_t b = 0; b < B; ++b)
        for (index_t h = 0; h < H; ++h)
            for (index_t t = 0; t < T; ++t)
                for (index_t c = 0; c < D; ++c) to.row(b, h, t)[c] = by * from.row(b, h, t)[c];
}

}  // namespace attnlab
