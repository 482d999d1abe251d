#pragma once
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <ostream>
#include <string>
#include <vector>

#include <attnlab/io/json.hpp>
#include <attnlab/io/progress.hpp>

/// \file
/// What was found out about a file, for people and for programs.

namespace attnlab {

/// A sound file: a broken one is an error. Warnings are about what does not hinder reading it.
struct inspection {
    std::string kind;             ///< "model folder", "tokens", ...
    json facts = json::object();  ///< name and value, in the order they are shown
    std::vector<std::string> warnings;
};

/// 1,234,567
inline std::string grouped(std::int64_t number) {
    auto out = std::to_string(number);
    for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
        out.insert(static_cast<std::size_t>(at), ",");
    return out;
}

namespace detail {

inline std::string fact_text(std::string const& name, json const& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_number_integer()) {
        auto const n = value.get<std::int64_t>();
        bool const in_bytes = name == "bytes";
        return grouped(n) +
               (n < 1'000'000 ? "" : text(" (", progress::short_number(static_cast<double>(n)), in_bytes ? "B)" : ")"));
    }
    std::vector<std::string> words;
    if (value.is_array())
        for (auto const& v : value) words.push_back(fact_text("", v));
    else if (value.is_object())
        for (auto const& [key, v] : value.items()) words.push_back(key + ' ' + fact_text(key, v));
    return words.empty() ? value.dump() : joined(words);
}

}  // namespace detail

/// Facts, a line each, to `out` and warnings to `err`; or all as one JSON object to `out`.
inline void print_inspection(inspection const& found, std::filesystem::path const& path, bool as_json, std::ostream& out,
                             std::ostream& err) {
    if (as_json) {
        json all{{"path", path.string()}, {"kind", found.kind}, {"sound", true}};
        all.update(found.facts);
        all["warnings"] = found.warnings;
        out << all.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
        return;
    }
    out << found.kind << ' ' << path.string() << '\n';
    constexpr std::size_t few = 40, column = 14, width = 130;
    for (auto const& [name, value] : found.facts.items()) {
        if (name == "tensors" && value.is_array()) {
            out << "  tensors\n";
            for (std::size_t i = 0; i < std::min(few, value.size()); ++i)
                out << "    " << std::left << std::setw(5) << value[i]["type"].get<std::string>() << ' '
                    << value[i]["name"].get<std::string>() << ' ' << value[i]["shape"].dump() << '\n';
            if (value.size() > few) out << "    and " << value.size() - few << " more: --json lists all\n";
            continue;
        }
        std::string line = "  " + name + std::string(std::max<std::size_t>(1, column - std::min(column, name.size())), ' ');
        for (char const c : detail::fact_text(name, value)) {
            line += c;
            if (c != ' ' || line.size() < width) continue;
            out << line.substr(0, line.size() - 1) << '\n';
            line = std::string(column + 2, ' ');
        }
        out << line << '\n';
    }
    out << "sound"
        << (found.warnings.empty()
                ? ""
                : text(", with ", found.warnings.size(), found.warnings.size() == 1 ? " warning" : " warnings"))
        << std::endl;
    for (std::size_t i = 0; i < std::min(few, found.warnings.size()); ++i) err << "warning: " << found.warnings[i] << '\n';
    if (found.warnings.size() > few) err << "and " << found.warnings.size() - few << " more warnings: --json lists all\n";
}

}  // namespace attnlab
