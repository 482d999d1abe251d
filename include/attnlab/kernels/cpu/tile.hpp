#pragma once
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

/// Copies rows of n numbers to rows of `ldc` = rounded_up(n), the rest zero.
inline void pack_rows(index_t rows, index_t n, float const* from, index_t stride, float* to) {
    for (index_t r = 0; r < rows; ++r) {
        std::copy_n(from + r * stride, n, to + r * rounded_up(n));
        std::fill(to + r * rounded_up(n) + n, to + (r + 1) * rounded_up(n), 0.0f);
    }
}

/// Copies (rows, n) transposed to (n, rounded_up(rows)), the rest zero.
inline void pack_transposed(index_t rows, index_t n, float const* from, index_t stride, float* to) {
    index_t const ld = rounded_up(rows);
    constexpr index_t edge = 16;   // a block of 16 x 16 stays in the nearest cache both ways
    for (index_t r = 0; r < rows; r += edge)
        for (index_t c = 0; c < n; ++c) {
            index_t const last = std::min(rows, r + edge);
            for (index_t i = r; i < last; ++i) to[c * ld + i] = from[i * stride + c];
        }
    for (index_t c = 0; c < n; ++c) std::fill(to + c * ld + rows, to + (c + 1) * ld, 0.0f);
}

}  // namespace attnlab
