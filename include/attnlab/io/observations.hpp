#pragma once
#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/io/csv.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// What was seen while a model trained, as lines: NAME.csv with the header step,layer,head,metric,value or NAME.jsonl with one object of
/// these fields a line. A last line without its end was cut off by a crash and does not count. Written by observation_stream.hpp.

namespace attnlab {

/// "The whole model" as a layer, "all heads" as a head.
inline constexpr index_t whole = -1;

/// One number, of the whole model, a layer or a head.
struct observation {
    index_t step = 0, layer = whole, head = whole;
    std::string metric;
    double value = 0;   ///< CSV spells nan, inf, -inf; JSON has null for all three
};

namespace detail {

inline constexpr std::string_view observation_header = "step,layer,head,metric,value";

inline bool is_json_lines(std::filesystem::path const& path) {
    if (path.extension() == ".jsonl") return true;
    if (path.extension() != ".csv") fail<usage_error>(path.string(), ": expected a name that ends in .csv or .jsonl");
    return false;
}

inline std::string observation_line(observation const& o, bool as_json) {
    if (!as_json) return csv_line({std::to_string(o.step), std::to_string(o.layer), std::to_string(o.head), o.metric, exact_cell(o.value)});
    json const row{{"step", o.step}, {"layer", o.layer}, {"head", o.head}, {"metric", o.metric}, {"value", o.value}};
    return row.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

inline observation observation_of(std::string_view line, bool as_json, std::string const& where) {
    if (as_json) {
        auto const row = parse_json_text(std::string(line), where);
        return {field<index_t>(row, where, "step"), field<index_t>(row, where, "layer"), field<index_t>(row, where, "head"),
                field<std::string>(row, where, "metric"), field_or<double>(row, where, "value", std::numeric_limits<double>::quiet_NaN())};
    }
    std::vector<std::string> cells;
    require(take_csv_record(line, cells) && cells.size() == 5, where, ": expected five fields, as the header names them");
    return {csv_number<index_t>(cells[0], where, "step"), csv_number<index_t>(cells[1], where, "layer"),
            csv_number<index_t>(cells[2], where, "head"), cells[3], csv_number<double>(cells[4], where, "value")};
}

/// `use(row, end)` for each whole row as long as it returns true; with `end` bytes the row is complete. \throws error for a line that is none
template <class Use>
void each_observation(std::filesystem::path const& path, std::string_view content, Use&& use) {
    bool const as_json = is_json_lines(path);
    std::size_t number = 0, begin = 0;
    for (std::size_t end; (end = content.find('\n', begin)) != content.npos; begin = end + 1) {
        auto const where = text(path.string(), ":", ++number);
        auto const line = content.substr(begin, end - begin);
        if (!as_json && number == 1) {
            if (line != observation_header) fail(where, ": expected the header ", observation_header);
        } else if (!use(observation_of(line, as_json, where), end + 1)) {
            return;
        }
    }
}

}  // namespace detail

/// All whole rows of a file, which may still be written to. \throws error naming file and line
inline std::vector<observation> read_observations(std::filesystem::path const& path) {
    std::vector<observation> out;
    detail::each_observation(path, read_text(path), [&](observation o, std::size_t) {
        out.push_back(std::move(o));
        return true;
    });
    return out;
}

}  // namespace attnlab
