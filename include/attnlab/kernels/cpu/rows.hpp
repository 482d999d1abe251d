#pragma once
#include <algorithm>
#include <cstddef>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

/// \file
/// How kernels share work among threads. Nothing here depends on the number of threads but who does what, so results are the
/// same bits on one thread and on many.

namespace attnlab {

/// Elements from which more threads repay their start (some microseconds).
inline constexpr index_t threading_pays = 1 << 16;

/// `body(i)` for i in [0, n), on several threads when n rows of `cost` elements repay it. The body must not throw.
template <class Body>
void each_row(index_t n, index_t cost, Body body) {
#pragma omp parallel for schedule(static) if (n * cost > threading_pays)
    for (index_t i = 0; i < n; ++i) body(i);
}

/// `body(i, every_lane{} or tail{...})` for the registers that cover n elements (see each_lanes), threads as in each_row.
template <class Body>
void each_element(index_t n, Body body) {
    constexpr index_t block = 4096;
    each_row((n + block - 1) / block, block, [&](index_t b) {
        index_t const first = b * block;
        each_lanes(std::min(block, n - first), [&](index_t i, auto part) { body(first + i, part); });
    });
}

/// Sums over n rows: `row(i, sums)` adds what row i gives to each of `columns` sums, which begin at zero. Rows are cut into at
/// most 64 parts by n alone, each with sums of its own, added in order at the end.
template <class Row>
buffer<float> column_sums(index_t n, index_t columns, Row row) {
    constexpr index_t most = 64, least_length = 128;
    index_t const length = std::max(least_length, (n + most - 1) / most);
    index_t const parts = std::max<index_t>(1, (n + length - 1) / length);
    buffer<float> sums(static_cast<std::size_t>(parts * columns), 0.0f);
    each_row(parts, length * columns, [&](index_t p) {
        for (index_t i = p * length; i < std::min(n, (p + 1) * length); ++i) row(i, sums.data() + p * columns);
    });
    for (index_t i = columns; i < parts * columns; ++i)
        sums[static_cast<std::size_t>(i % columns)] += sums[static_cast<std::size_t>(i)];
    sums.resize(static_cast<std::size_t>(columns));
    return sums;
}

}  // namespace attnlab
