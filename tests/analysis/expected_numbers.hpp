#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/io/json.hpp>

#include "fixtures.hpp"

/// \file
/// Numbers of a survey against analysis.json of a fixture, key by key.

namespace attnlab::testing {

/// Folders of a kind of fixtures that have an analysis.
inline std::vector<std::filesystem::path> analysed_cases(char const* kind) {
    std::vector<std::filesystem::path> out;
    if (std::filesystem::is_directory(fixtures() / kind))
        for (auto const& entry : std::filesystem::directory_iterator(fixtures() / kind))
            if (std::filesystem::exists(entry.path() / "analysis.json") &&
                std::filesystem::exists(entry.path() / "expected.safetensors"))
                out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

/// What analysis.json expects of a survey, under the names that a survey has.
inline json expected_of(std::filesystem::path const& folder) {
    auto expected = parse_json(folder / "analysis.json");
    for (char const* other : {"interventions", "perplexity", "tolerance"}) expected.erase(other);
    if (expected.contains("token_types")) {  // the fixtures have the paper's own way, to which a newline is no delimiter
        expected["reference_token_types"] = expected.at("token_types");
        expected.erase("token_types");
    }
    return expected;
}

/// Everything of `expected` is in `found`: numbers within `rtol`, all else alike. \param null_is_unseen  what the file of a pass
/// does not have
inline void check_numbers(std::string const& where, json const& found, json const& expected, double rtol, bool null_is_unseen) {
    if (found.is_null() && null_is_unseen) return;
    if (expected.is_object()) {
        for (auto const& [key, value] : expected.items()) {
            if (!found.contains(key)) {
                BOOST_ERROR(where << ": '" << key << "' is missing");
                continue;
            }
            check_numbers(where + "." + key, found.at(key), value, key == "kurtosis" ? 2 * rtol : rtol, null_is_unseen);
        }
    } else if (expected.is_array()) {
        BOOST_TEST(found.size() == expected.size(), where << ": " << found.size() << " elements, expected " << expected.size());
        for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i)
            check_numbers(where + "[" + std::to_string(i) + "]", found[i], expected[i], rtol, null_is_unseen);
    } else if (expected.is_number_float()) {
        double const f = found.get<double>(), e = expected.get<double>();
        BOOST_TEST(std::abs(f - e) <= 1e-12 + rtol * std::abs(e), where << " is " << f << ", expected " << e);
    } else {
        BOOST_TEST(found == expected, where << " is " << found.dump() << ", expected " << expected.dump());
    }
}

}  // namespace attnlab::testing
