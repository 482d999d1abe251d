#pragma once
#include <attnlab/kernels/cpu/lane_square.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

/// \file
/// Products of small tiles in registers: one shape, c += a b with a read by strides and b, c in rows of full registers, serves all
/// products of attention, forward and backward.

namespace attnlab {

/// Columns of a tile, rounded up to whole registers.
constexpr index_t rounded_up(index_t n) { return (n + register_width - 1) / register_width * register_width; }

namespace detail {

/// c (Rows, Packs x register_width) = [c +] a b over k. Everything stays in registers between the first and the last line.
template <int Rows, int Packs>
inline void multiply_block(index_t k, float const* a, index_t a_row, index_t a_column, float const* b, index_t ldb, float* c, index_t ldc, bool add) {
    lanes sum[Rows][Packs];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int p = 0; p < Packs; ++p) sum[r][p] = add ? load_aligned(c + r * ldc + p * register_width) : lanes(0.0f);
    for (index_t i = 0; i < k; ++i) {
        lanes row[Packs];
#pragma GCC unroll 4
        for (int p = 0; p < Packs; ++p) row[p] = load_aligned(b + i * ldb + p * register_width);
#pragma GCC unroll 16
        for (int r = 0; r < Rows; ++r) {
            lanes const x(a[r * a_row + i * a_column]);
#pragma GCC unroll 4
            for (int p = 0; p < Packs; ++p) sum[r][p] = fma(x, row[p], sum[r][p]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int p = 0; p < Packs; ++p) store_aligned(c + r * ldc + p * register_width, sum[r][p]);
}

// Accumulators, one row of b and one number of a fill the registers: 32 where a register holds 16 floats, else 16.
inline constexpr int widest = register_width >= 16 ? 4 : 2;
constexpr int tallest(int packs) {
    if (register_width >= 16) return packs == 4 ? 6 : packs == 3 ? 8 : 12;
    return packs == 2 ? 6 : 12;
}

template <int Packs>
inline void multiply_columns(index_t m, index_t k, float const* a, index_t a_row, index_t a_column, float const* b, index_t ldb, float* c, index_t ldc,
                             bool add) {
    constexpr int tall = tallest(Packs);
    index_t r = 0;
    auto const rows = [&]<int Rows>(std::integral_constant<int, Rows>) {
        for (; r + Rows <= m; r += Rows) multiply_block<Rows, Packs>(k, a + r * a_row, a_row, a_column, b, ldb, c + r * ldc, ldc, add);
    };
    rows(std::integral_constant<int, tall>{});
    rows(std::integral_constant<int, 4>{});
    rows(std::integral_constant<int, 1>{});
}

}  // namespace detail

/// c (m, n) = a b, or += with `add`; a (m, k) by strides, b (k, n) and c in rows of ldb and ldc, aligned, n a multiple of `register_width`.
/// Never inlined: it is the same for all policies, and its many unrolled bodies would be compiled again at each call. S is float: a
/// template, so that attnlab::compiled may hold it.
template <class S>
[[gnu::noinline]] void multiply(index_t m, index_t n, index_t k, S const* a, index_t a_row, index_t a_column, S const* b, index_t ldb, S* c, index_t ldc,
                                bool add) {
    constexpr int widest = detail::widest;
    index_t j = 0;
    for (; j + widest * register_width <= n; j += widest * register_width)
        detail::multiply_columns<widest>(m, k, a, a_row, a_column, b + j, ldb, c + j, ldc, add);
    index_t const left = (n - j) / register_width;
    if constexpr (widest > 2)
        if (left == 3) return detail::multiply_columns<3>(m, k, a, a_row, a_column, b + j, ldb, c + j, ldc, add);
    if constexpr (widest > 2)
        if (left == 2) return detail::multiply_columns<2>(m, k, a, a_row, a_column, b + j, ldb, c + j, ldc, add);
    if (left == 1) detail::multiply_columns<1>(m, k, a, a_row, a_column, b + j, ldb, c + j, ldc, add);
}

namespace detail {
/// Rows of a packed projection lie pages apart, where processors do not look ahead by themselves.
inline void look_ahead(float const* row, index_t n) {
    for (index_t c = 0; c < n; c += 16) __builtin_prefetch(row + c);
}
inline constexpr index_t rows_ahead = 16;
}  // namespace detail

/// Copies rows of n numbers, times `scale`, to rows of rounded_up(n), the rest zero.
inline void pack_rows(index_t rows, index_t n, float const* from, index_t stride, float* to, float scale = 1) {
    for (index_t r = 0; r < rows; ++r) {
        if (r + detail::rows_ahead < rows) detail::look_ahead(from + (r + detail::rows_ahead) * stride, n);
        each_lanes(n, [&](index_t c, auto part) { store_aligned(to + r * rounded_up(n) + c, load(from + r * stride + c, part) * scale); });
    }
}

/// Keys of a tile, and columns of a panel.
inline constexpr index_t tile_columns = 64;
/// Floats that `pack_panels` writes.
constexpr index_t panels_size(index_t rows, index_t n) { return (rows + tile_columns - 1) / tile_columns * tile_columns * n; }

/// Copies (rows, n) transposed, in panels of 64 rows: row r, column c goes to panel r / 64, an array (n, 64), as (c, r % 64); the
/// last panel is filled up with zeros. A panel is contiguous: one (n, rows) array would put the rows of a tile 4 T bytes apart,
/// for T = 1024 all into the same few sets of the nearest cache.
inline void pack_panels(index_t rows, index_t n, float const* from, index_t stride, float* to) {
    for (index_t r = 0; r < rows; r += register_width) {
        float* const panel = to + r / tile_columns * tile_columns * n + r % tile_columns;
        index_t const here = std::min(rows - r, register_width);
        for (index_t i = r + detail::rows_ahead; i < std::min(rows, r + detail::rows_ahead + register_width); ++i)
            detail::look_ahead(from + i * stride, n);
        index_t c = 0;
        for (; here == register_width && c + register_width <= n; c += register_width) {
            lane_square x;
            for (index_t i = 0; i < register_width; ++i) x[static_cast<std::size_t>(i)] = load(from + (r + i) * stride + c);
            transpose(x);
            for (index_t i = 0; i < register_width; ++i) store_aligned(panel + (c + i) * tile_columns, x[static_cast<std::size_t>(i)]);
        }
        for (; c < n; ++c)
            for (index_t i = 0; i < register_width; ++i) panel[c * tile_columns + i] = i < here ? from[(r + i) * stride + c] : 0.0f;
    }
    index_t const filled = rounded_up(rows) % tile_columns;
    if (filled == 0) return;
    float* const last = to + rows / tile_columns * tile_columns * n;
    for (index_t c = 0; c < n; ++c) std::fill(last + c * tile_columns + filled, last + (c + 1) * tile_columns, 0.0f);
}

}  // namespace attnlab
