#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <span>

#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/cpu/tile.hpp>

/// \file
/// Which tiles of scores there are under a mask, and which part of a tile is worth computing.

namespace attnlab::detail {

/// Rows of a tile.
inline constexpr index_t tile_rows = 96;

/// Which columns of a tile a row sees.
using columns_seen = std::uint64_t;
static_assert(tile_columns == 64);

/// Some rows of a tile and the columns, in whole registers, that any of them sees: what products compute.
struct band {
    index_t row, rows, column, columns;
};

/// A tile: keys first .. first + count, and which of them each row sees.
class tile_keys {
public:
    index_t first = 0, count = 0;

    columns_seen seen_by(index_t row) const { return seen_[static_cast<std::size_t>(row)]; }
    /// Columns, rounded up to whole registers.
    index_t padded() const { return rounded_up(count); }
    /// All of the tile where all rows see all keys; on the diagonal, steps of 24 rows.
    std::span<band const> bands() const { return {bands_.data(), band_count_}; }
    /// Keys of a band: its columns, less what pads the sequence's end.
    index_t keys(band const& b) const { return std::min(b.columns, count - b.column); }

    /// All `rows` see all keys from `j` on.
    void see_all(index_t j, index_t keys, index_t rows) {
        if (whole_ != keys) std::fill(seen_.begin(), seen_.end(), ~columns_seen{0} >> (tile_columns - keys));
        first = j, count = whole_ = keys;
        bands_[0] = {0, rows, 0, padded()};
        band_count_ = 1;
    }
    /// Row r sees `seen(r)` of the keys from `j` on. False where no row sees any.
    template <class Seen>
    bool see(index_t j, index_t keys, index_t rows, Seen seen) {
        first = j, count = keys, whole_ = 0, band_count_ = 0;
        for (index_t r = 0; r < rows; r += band_rows) {
            index_t const height = std::min(band_rows, rows - r);
            columns_seen any = 0;
            for (index_t i = r; i < r + height; ++i) any |= seen_[static_cast<std::size_t>(i)] = seen(i);
            if (any) add({r, height, std::countr_zero(any) / register_width * register_width, rounded_up(64 - std::countl_zero(any))});
        }
        return band_count_ > 0;
    }

private:
    static constexpr index_t band_rows = 24;

    /// \param b  with the end of its columns for their number
    void add(band b) {
        b.columns -= b.column;
        if (band_count_ > 0) {
            band& last = bands_[band_count_ - 1];
            if (last.row + last.rows == b.row && last.column == b.column && last.columns == b.columns) {
                last.rows += b.rows;
                return;
            }
        }
        bands_[band_count_++] = b;
    }

    std::array<columns_seen, tile_rows> seen_;
    std::array<band, tile_rows / band_rows> bands_;
    std::size_t band_count_ = 0;
    index_t whole_ = 0;  // so many keys are seen by every row already
};

/// Calls `body(tile)` for each tile of keys that any of the rows [i0, i0 + rows) sees, in order. Work goes with the tiles that
/// the mask's ranges touch, not with T.
template <class Policy, class S, class Body>
void each_tile(attention_problem<S> const& p, index_t b, index_t i0, index_t rows, Body body) {
    using visible = visible_keys<typename Policy::mask>;
    std::array<std::optional<visible>, tile_rows> row;
    for (index_t r = 0; r < rows; ++r) row[static_cast<std::size_t>(r)].emplace(p.template visible<Policy>(b, i0 + r));
    tile_keys tile;
    index_t next = 0;
    for (std::size_t range = 0; range < visible::range_count; ++range) {
        key_range any{p.T, 0}, all{0, p.T};
        for (index_t r = 0; r < rows; ++r) {
            key_range const k = row[static_cast<std::size_t>(r)]->ranges()[range];
            if (k.begin < k.end) any = {std::min(any.begin, k.begin), std::max(any.end, k.end)};
            all = {std::max(all.begin, k.begin), std::min(all.end, k.end)};
        }
        for (index_t j = std::max(next, any.begin / tile_columns * tile_columns); j < any.end; j += tile_columns) {
            next = j + tile_columns;
            index_t const keys = std::min(tile_columns, p.T - j);
            if (!visible::has_holes && all.begin <= j && j + keys <= all.end) {
                tile.see_all(j, keys, rows);
            } else if (!tile.see(j, keys, rows, [&](index_t r) { return row[static_cast<std::size_t>(r)]->bits(j, keys); })) {
                continue;
            }
            body(static_cast<tile_keys const&>(tile));
        }
    }
}

// Products on the bands of a tile. Rows are of `ld` floats, x and scores of tile_columns.

/// to (rows, 64) = rows (rows, D) times the tile's keys, in panels.
inline void score_bands(tile_keys const& tile, index_t D, float const* rows, index_t ld, float const* panels, float* to) {
    for (band const& b : tile.bands())
        multiply(b.rows, b.columns, D, rows + b.row * ld, ld, 1, panels + tile.first * D + b.column, tile_columns,
                 to + b.row * tile_columns + b.column, tile_columns, false);
}
/// to (rows, D) += x (rows, 64) times the tile's keys (T, D).
inline void add_to_rows(tile_keys const& tile, float const* x, float const* keys, index_t ld, float* to) {
    for (band const& b : tile.bands())
        multiply(b.rows, ld, tile.keys(b), x + b.row * tile_columns + b.column, tile_columns, 1, keys + (tile.first + b.column) * ld, ld,
                 to + b.row * ld, ld, true);
}
/// to (T, D), at the tile's keys, += x^T (64, rows) times rows (rows, D).
inline void add_to_keys(tile_keys const& tile, float const* x, float const* rows, index_t ld, float* to) {
    for (band const& b : tile.bands())
        multiply(tile.keys(b), ld, b.rows, x + b.row * tile_columns + b.column, 1, tile_columns, rows + b.row * ld, ld,
                 to + (tile.first + b.column) * ld, ld, true);
}

}  // namespace attnlab::detail
