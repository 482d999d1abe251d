#pragma once
#include <cstddef>
#include <limits>
#include <vector>

#include <attnlab/core/error.hpp>

namespace attnlab {

/// One-to-one assignment of every row to a column with the largest sum of gains: the Hungarian method with potentials, O(rows^2 columns)
/// (Kuhn 1955, Munkres 1957). \param gain  (rows, columns), row-major, rows <= columns \return the column of each row
inline std::vector<std::size_t> best_assignment(std::vector<double> const& gain, std::size_t rows, std::size_t columns) {
    require(rows <= columns && gain.size() == rows * columns, "assignment: expected no more rows than columns, and a gain for each pair");
    constexpr double infinite = std::numeric_limits<double>::infinity();
    // Rows and columns from 1; row_of[0] is the row that is being placed. Costs are negative gains.
    std::vector<double> row_potential(rows + 1), column_potential(columns + 1);
    std::vector<std::size_t> row_of(columns + 1), before(columns + 1);
    for (std::size_t r = 1; r <= rows; ++r) {
        std::vector<double> slack(columns + 1, infinite);
        std::vector<bool> seen(columns + 1);
        std::size_t column = 0;
        row_of[0] = r;
        do {   // a shortest augmenting path, as Dijkstra finds it
            seen[column] = true;
            std::size_t const row = row_of[column];
            std::size_t next = 0;
            double least = infinite;
            for (std::size_t c = 1; c <= columns; ++c) {
                if (seen[c]) continue;
                double const reduced = -gain[(row - 1) * columns + c - 1] - row_potential[row] - column_potential[c];
                if (reduced < slack[c]) slack[c] = reduced, before[c] = column;
                if (slack[c] < least) least = slack[c], next = c;
            }
            for (std::size_t c = 0; c <= columns; ++c)
                if (seen[c]) row_potential[row_of[c]] += least, column_potential[c] -= least;
                else slack[c] -= least;
            column = next;
        } while (row_of[column] != 0);
        for (; column != 0; column = before[column]) row_of[column] = row_of[before[column]];
    }
    std::vector<std::size_t> out(rows);
    for (std::size_t c = 1; c <= columns; ++c)
        if (row_of[c] != 0) out[row_of[c] - 1] = c - 1;
    return out;
}

}  // namespace attnlab
