#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <attnlab/core/view.hpp>

namespace attnlab {

/// Magnitudes of a large matrix in few cells: each the largest |x| of its block, so that a lone spike is as tall as it was.
struct pooled_map {
    index_t rows = 0, columns = 0;  ///< of the matrix
    std::size_t cells_down = 0, cells_across = 0;
    std::vector<float> values{};  ///< cells_down x cells_across, row-major

    pooled_map() = default;
    template <class T>
    pooled_map(view<T const, 2> x, std::size_t most_down, std::size_t most_across) : rows(x.shape(0)), columns(x.shape(1)) {
        cells_down = std::min(most_down, static_cast<std::size_t>(rows));
        cells_across = std::min(most_across, static_cast<std::size_t>(columns));
        values.resize(cells_down * cells_across);
        std::vector<std::size_t> across(static_cast<std::size_t>(columns));
        for (index_t c = 0; c < columns; ++c) across[static_cast<std::size_t>(c)] = column_cell(c);
        for (index_t r = 0; r < rows; ++r) {
            float* const cells = values.data() + row_cell(r) * cells_across;
            T const* const row = x.data() + r * columns;
            for (index_t c = 0; c < columns; ++c)
                if (float const a = static_cast<float>(std::abs(row[c])); std::isfinite(a)) {
                    float& cell = cells[across[static_cast<std::size_t>(c)]];
                    cell = std::max(cell, a);
                }
        }
    }

    /// The cell that holds row r, or column c.
    std::size_t row_cell(index_t r) const { return static_cast<std::size_t>(r) * cells_down / static_cast<std::size_t>(rows); }
    std::size_t column_cell(index_t c) const {
        return static_cast<std::size_t>(c) * cells_across / static_cast<std::size_t>(columns);
    }
    bool whole() const {
        return cells_down == static_cast<std::size_t>(rows) && cells_across == static_cast<std::size_t>(columns);
    }
};

}  // namespace attnlab
