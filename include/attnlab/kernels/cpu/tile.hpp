#pragma once
#include <attnlab/kernels/cpu/simd.hpp>

/// \file
/// Products of small tiles in registers: one shape, c += a b with a read by strides and b, c in rows of full registers, serves all
/// products of attention, forward and backward.

namespace attnlab {

/// Columns of a tile, rounded up to whole registers.
constexpr index rounded_up(index n) { return (n + register_width - 1) / register_width * register_width; }

namespace detail {

/// c (Rows, Packs x register_width) = [c +] a b over k. Everything stays in registers between the first and the last line.
template <int Rows, int Packs>
inline void multiply_block(index k, float const* a, index a_row, index a_column, float const* b, index ldb, float* c, index ldc, bool add) {
    lanes sum[Rows][Packs];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int p = 0; p < Packs; ++p) sum[r][p] = add ? load_aligned(c + r * ldc + p * register_width) : lanes(0.0f);
    for (index i = 0; i < k; ++i) {
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
inline void multiply_columns(index m, index k, float const* a, index a_row, index a_column, float const* b, index ldb, float* c, index ldc,
                             bool add) {
    constexpr int tall = tallest(Packs);
    index r = 0;
    auto const rows = [&]<int Rows>(std::integral_constant<int, Rows>) {
        for (; r + Rows <= m; r += Rows) multiply_block<Rows, Packs>(k, a + r * a_row, a_row, a_column, b, ldb, c + r * ldc, ldc, add);
    };
    rows(std::integral_constant<int, tall>{});
    rows(std::integral_constant<int, 4>{});
    rows(std::integral_constant<int, 1>{});
}

}  // namespace detail

/// c (m, n) = a b, or += with `add`; a (m, k) by strides, b (k, n) and c in rows of ldb and ldc, aligned, n a multiple of `register_width`.
/// Never inlined: it is the same for all policies, and its many unrolled bodies would be compiled again at each call.
[[gnu::noinline]] inline void multiply(index m, index n, index k, float const* a, index a_row, index a_column, float const* b, index ldb, float* c, index ldc,
                     bool add) {
    constexpr int widest = detail::widest;
    index j = 0;
    for (; j + widest * register_width <= n; j += widest * register_width)
        detail::multiply_columns<widest>(m, k, a, a_row, a_column, b + j, ldb, c + j, ldc, add);
    index const left = (n - j) / register_width;
    if constexpr (widest > 2)
        if (left == 3) return detail::multiply_columns<3>(m, k, a, a_row, a_column, b + j, ldb, c + j, ldc, add);
    if constexpr (widest > 2)
        if (left == 2) return detail::multiply_columns<2>(m, k, a, a_row, a_column, b + j, ldb, c + j, ldc, add);
    if (left == 1) detail::multiply_columns<1>(m, k, a, a_row, a_column, b + j, ldb, c + j, ldc, add);
}

/// Copies rows of n numbers to rows of `ldc` = rounded_up(n), the rest zero.
inline void pack_rows(index rows, index n, float const* from, index stride, float* to) {
    for (index r = 0; r < rows; ++r) {
        std::copy_n(from + r * stride, n, to + r * rounded_up(n));
        std::fill(to + r * rounded_up(n) + n, to + (r + 1) * rounded_up(n), 0.0f);
    }
}

/// Copies (rows, n) transposed to (n, rounded_up(rows)), the rest zero.
inline void pack_transposed(index rows, index n, float const* from, index stride, float* to) {
    index const ld = rounded_up(rows);
    constexpr index edge = 16;   // a block of 16 x 16 stays in the nearest cache both ways
    for (index r = 0; r < rows; r += edge)
        for (index c = 0; c < n; ++c) {
            index const last = std::min(rows, r + edge);
            for (index i = r; i < last; ++i) to[c * ld + i] = from[i * stride + c];
        }
    for (index c = 0; c < n; ++c) std::fill(to + c * ld + rows, to + (c + 1) * ld, 0.0f);
}

}  // namespace attnlab
