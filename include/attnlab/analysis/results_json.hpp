#pragma once
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <ostream>
#include <utility>

#include <attnlab/analysis/manifest.hpp>
#include <attnlab/analysis/results.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// results.json: {"manifest": {...}, "results": [...]}, one result a line. Its form is fixed by docs/results.schema.json.

namespace attnlab {

inline json to_json(result const& r) {
    return {{"policy", r.policy}, {"seed", r.seed}, {"step", r.step}, {"layer", r.layer}, {"head", r.head}, {"metric", r.metric},
            {"value", std::isfinite(r.value) ? json(r.value) : json(nullptr)}, {"definition", r.definition}};
}

/// Writes atomically. A value that is not finite becomes null. \throws error naming the path
inline void write_results_json(std::filesystem::path const& path, manifest const& m, results const& all) {
    auto const dump = [](json const& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); };
    write_atomically(path, [&](std::ostream& out) {
        out << "{\"manifest\": " << to_json(m).dump(2, ' ', false, json::error_handler_t::replace) << ",\n\"results\": [";
        char const* separator = "\n";
        for (auto const& r : all) {
            out << separator << dump(to_json(r));
            separator = ",\n";
        }
        out << "\n]}\n";
    });
}

/// Reads what `write_results_json` wrote. \throws error naming the file and the row
inline std::pair<manifest, results> read_results_json(std::filesystem::path const& path) {
    auto const j = parse_json(path);
    std::pair<manifest, results> out{manifest_from_json(field<json>(j, path.string(), "manifest"), path.string() + ": manifest"), {}};
    std::size_t number = 0;
    for (auto const& row : field<json>(j, path.string(), "results")) {
        auto const where = text(path.string(), ": result ", ++number);
        out.second.add({field<std::string>(row, where, "policy"), field<int>(row, where, "seed"), field<index_t>(row, where, "step"),
                        field<index_t>(row, where, "layer"), field<index_t>(row, where, "head"), field<std::string>(row, where, "metric"),
                        field_or<double>(row, where, "value", std::numeric_limits<double>::quiet_NaN()),
                        field<std::string>(row, where, "definition")});
    }
    return out;
}

}  // namespace attnlab
