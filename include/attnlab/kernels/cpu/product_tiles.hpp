#pragma once
#include <omp.h>

#include <algorithm>

#include <attnlab/core/view.hpp>

/// \file
/// How a matrix product is shared among threads: its result is cut into tiles by its sizes alone, and the library makes each on one
/// thread. Left to share a product itself, oneDNN may cut the sum over k, for eight threads in another way than for two.

namespace attnlab {

/// A result of m x n cut into `down` x `across` tiles of `rows` x `columns`; the last ones are smaller.
struct product_tiles {
    index_t rows, columns, down = 1, across = 1;

    /// The longer side is halved as long as tiles stay large enough for the library's full speed; before there are eight tiles, as long
    /// as the two halves repay waking a thread.
    product_tiles(index_t m, index_t n, index_t k) : rows(m), columns(n) {
        constexpr index_t full_speed = 384, least = 64, repays = 1 << 22, few = 8, many = 64;
        for (;;) {
            bool const tall = rows >= columns;
            index_t& count = tall ? down : across;
            index_t const half = ((tall ? m : n) + 2 * count - 1) / (2 * count), whole_lines = (half + 15) / 16 * 16;
            bool const cut = down * across < few ? half >= least && rows * columns * k >= repays : down * across < many && half >= full_speed;
            if (!cut) return;
            count *= 2;
            (tall ? rows : columns) = whole_lines;
        }
    }
};

/// `product(row, column, rows, columns)` for each tile of an m x n result with sums of length k, on several threads. The product must not
/// throw; says whether all returned true.
template <class Product>
bool each_product_tile(index_t m, index_t n, index_t k, Product product) {
    product_tiles const tiles(m, n, k);
    index_t const count = tiles.down * tiles.across;
    if (count == 1) {
        int const threads = omp_get_max_threads();
        omp_set_num_threads(1);   // of this thread's next regions: the library's
        bool const done = product(0, 0, m, n);
        omp_set_num_threads(threads);
        return done;
    }
    bool done = true;
#pragma omp parallel for schedule(static) reduction(&& : done)
    for (index_t i = 0; i < count; ++i) {
        index_t const row = i / tiles.across * tiles.rows, column = i % tiles.across * tiles.columns;
        if (row < m && column < n)   // lines are whole: the last tiles may be empty
            done = product(row, column, std::min(tiles.rows, m - row), std::min(tiles.columns, n - column)) && done;
    }
    return done;
}

}  // namespace attnlab
