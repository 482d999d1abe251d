#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/cli/inspection.hpp>
#include <attnlab/data/token_file.hpp>
#include <attnlab/io/npy.hpp>
#include <attnlab/io/odd_values.hpp>
#include <attnlab/io/progress.hpp>
#include <attnlab/io/safetensors.hpp>

/// \file
/// What `attnlab inspect` finds out about single files: tensors, arrays, tokens.

namespace attnlab {

/// What to look at beyond headers.
struct inspect_options {
    index_t vocabulary = 0;  ///< ids are below; 0: not known
    bool values = false;     ///< look at every value of large files too
    progress_output progress;
};

namespace detail {

inline constexpr std::size_t small_enough = std::size_t{1} << 30;  // bytes of values that are looked at unasked: a second

/// Number of tensors, values and bytes, by type.
inline void describe_tensors(std::vector<stored_tensor> const& tensors, inspection& out) {
    std::map<std::string_view, index_t> types;
    index_t values = 0;
    std::size_t bytes = 0;
    for (auto const& t : tensors) {
        ++types[about(t.type).name];
        values += t.size();
        bytes += t.bytes.size();
    }
    out.facts["parameters"] = values;
    out.facts["bytes"] = bytes;
    out.facts["types"] = json::object();
    for (auto const& [name, count] : types) out.facts["types"][std::string(name)] = count;
}

inline json tensor_list(std::vector<stored_tensor> const& tensors) {
    json out = json::array();
    for (auto const& t : tensors) out.push_back({{"name", t.name}, {"type", about(t.type).name}, {"shape", t.shape}});
    return out;
}

/// Counts NaN and infinities, where there are not too many values or it is asked for, and warns of each tensor that has some.
inline void look_at_values(std::vector<stored_tensor> const& tensors, inspect_options const& options, inspection& out) {
    std::size_t bytes = 0;
    for (auto const& t : tensors) bytes += t.bytes.size();
    if (bytes > small_enough && !options.values) {
        out.facts["values"] = "not looked at: --values does";
        return;
    }
    auto how = options.progress;
    how.quiet = how.quiet || bytes <= small_enough;
    progress p("values", bytes, "B", how);
    index_t nan = 0, infinite = 0;
    for (auto const& t : tensors) {
        auto const odd = count_odd_values(t, [&](std::size_t n) { p.advance(n); });
        nan += odd.nan, infinite += odd.infinite;
        if (!odd.any()) continue;
        out.warnings.push_back(text(t.where(), ": ", odd.nan > 0 ? text(odd.nan, " NaN") : "",
                                    odd.nan > 0 && odd.infinite > 0 ? ", " : "",
                                    odd.infinite > 0 ? text(odd.infinite, " infinite") : "", " among ", t.size(), " values"));
    }
    out.facts["values"] = {{"NaN", nan}, {"infinite", infinite}};
}

}  // namespace detail

inline inspection inspect_safetensors(safetensors_reader const& file, inspect_options const& options) {
    inspection out{"safetensors", json::object(), {}};
    detail::describe_tensors(file.tensors(), out);
    if (!file.metadata().empty()) out.facts["metadata"] = file.metadata();
    detail::look_at_values(file.tensors(), options, out);
    out.facts["tensors"] = detail::tensor_list(file.tensors());
    return out;
}

/// A .npy; with a vocabulary, one of tokens. \throws error naming the file, and the position of a token that is not in the
/// vocabulary
inline inspection inspect_npy(std::filesystem::path const& path, inspect_options const& options) {
    npy_array const array(path);
    inspection out{"array", {{"dtype", array.dtype}, {"shape", array.shape}, {"numbers", array.size()}}, {}};
    if (options.vocabulary > 0)
        require(array.whole(), path.string(), ": descr: '", array.dtype, "': expected whole numbers, tokens");
    double least = std::numeric_limits<double>::infinity(), most = -least;
    std::size_t odd = 0;
    std::vector<double> piece;
    for (std::size_t at = 0; at < array.size(); at += piece.size()) {
        piece.resize(std::min<std::size_t>(1 << 16, array.size() - at));
        array.read(at, std::span(piece));
        for (std::size_t i = 0; i < piece.size(); ++i) {
            if (options.vocabulary > 0 && !(0 <= piece[i] && piece[i] < static_cast<double>(options.vocabulary)))
                fail(path.string(), ": token ", static_cast<std::int64_t>(piece[i]), " at position ", at + i, ": expected 0 to ",
                     options.vocabulary - 1);
            if (!std::isfinite(piece[i]))
                ++odd;
            else
                least = std::min(least, piece[i]), most = std::max(most, piece[i]);
        }
    }
    if (least <= most && array.whole())
        out.facts["range"] = {{"from", static_cast<std::int64_t>(least)}, {"to", static_cast<std::int64_t>(most)}};
    else if (least <= most)
        out.facts["range"] = {{"from", least}, {"to", most}};
    if (odd > 0) out.warnings.push_back(text(path.string(), ": ", odd, " NaN or infinite among ", array.size(), " values"));
    return out;
}

/// A .bin of tokens. \throws error as load_bin
inline inspection inspect_tokens(std::filesystem::path const& path, inspect_options const& options) {
    auto const form = read_token_file_form(path, options.vocabulary);
    index_t const vocabulary = options.vocabulary > 0 ? options.vocabulary : form.vocabulary;
    auto const tokens = load_bin(path, vocabulary > 0 ? vocabulary : form.wide ? index_t{1} << 31 : 65536);
    token largest = 0;
    for (index_t i = 0; i < tokens.size(); ++i) largest = std::max(largest, tokens[i]);
    inspection out{"tokens", {{"tokens", tokens.size()}, {"dtype", form.wide ? "uint32" : "uint16"}, {"largest", largest}}, {}};
    if (vocabulary > 0)
        out.facts["vocabulary"] = vocabulary;
    else
        out.warnings.push_back(text(path.string(), ": ids are not held to a vocabulary: --vocab N does"));
    if (form.recorded && options.vocabulary > 0 && form.vocabulary > 0 && form.vocabulary != options.vocabulary)
        out.warnings.push_back(
            text(path.string(), ".json: vocab_size ", form.vocabulary, ", not the ", options.vocabulary, " given"));
    return out;
}

}  // namespace attnlab
