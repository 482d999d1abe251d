#pragma once
#include <cstddef>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/results.hpp>
#include <attnlab/io/csv.hpp>
#include <attnlab/io/file.hpp>

/// \file
/// results.csv: a header and one result a line. Numbers come back bit for bit; NaN and infinities are spelt nan, inf, -inf.

namespace attnlab {
namespace detail {

inline std::vector<std::string> const& result_columns() {
    static std::vector<std::string> const names = {"policy", "seed", "step", "layer", "head", "metric", "value", "definition"};
    return names;
}

}  // namespace detail

/// Writes atomically. \throws error naming the path
inline void write_results_csv(std::filesystem::path const& path, results const& all) {
    write_atomically(path, [&](std::ostream& out) {
        out << csv_line(detail::result_columns());
        for (auto const& r : all)
            out << csv_line({r.policy, std::to_string(r.seed), std::to_string(r.step), std::to_string(r.layer), std::to_string(r.head), r.metric,
                             exact_cell(r.value), r.definition});
    });
}

/// Reads what `write_results_csv` wrote. \throws error naming the file, the record and the field
inline results read_results_csv(std::filesystem::path const& path) {
    auto const content = read_text(path);
    std::string_view rest = content;
    std::vector<std::string> cells;
    auto const& columns = detail::result_columns();
    if (!take_csv_record(rest, cells) || cells != columns) fail(path.string(), ": header: expected ", joined(columns, ","));
    results out;
    for (std::size_t number = 1; !rest.empty(); ++number) {
        auto const where = text(path.string(), ": record ", number);
        require(take_csv_record(rest, cells), where, ": expected a closing quote");
        require(cells.size() == columns.size(), where, ": expected ", columns.size(), " fields, found ", cells.size());
        auto whole_number = [&](std::size_t column) { return csv_number<index_t>(cells[column], where, columns[column]); };
        out.add({cells[0], csv_number<int>(cells[1], where, columns[1]), whole_number(2), whole_number(3), whole_number(4), cells[5],
                 csv_number<double>(cells[6], where, columns[6]), cells[7]});
    }
    return out;
}

}  // namespace attnlab
