// The views of `attnlab analyze` on models of the fixtures, planted/ (outliers known) and llm/ (many families), key by key against
// analysis.json, which a NumPy computation made.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/views/survey_json.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/npy.hpp>

#include "analysis/replayed_model.hpp"
#include "fixtures.hpp"

BOOST_AUTO_TEST_SUITE(views)

using namespace attnlab;
using attnlab::testing::replayed_model;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> cases(char const* kind) {
    std::vector<fs::path> out;
    if (fs::is_directory(fixtures() / kind))
        for (auto const& entry : fs::directory_iterator(fixtures() / kind))
            if (fs::exists(entry.path() / "analysis.json") && fs::exists(entry.path() / "expected.safetensors")) out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

token_sequences tokens_of(fs::path const& folder, char const* file = "tokens.npy") {
    npy_array const a(folder / file);
    token_sequences x;
    x.ids.resize({a.shape.at(0), a.shape.at(1)});
    auto const ids = a.as<std::int32_t>();
    std::copy(ids.begin(), ids.end(), x.ids.data());
    x.from = file;
    if (fs::exists(folder / "vocab_strings.json")) {
        auto const strings = parse_json(folder / "vocab_strings.json").get<std::vector<std::string>>();
        x.text_of = [strings](std::int32_t id) { return token_text{strings.at(static_cast<std::size_t>(id)), strings.at(static_cast<std::size_t>(id))}; };
    }
    return x;
}

/// Everything of `expected` is in `found`: numbers within `rtol`, all else alike. What the file of a pass did not have is null.
void check(std::string const& where, json const& found, json const& expected, double rtol, bool null_is_unseen) {
    if (found.is_null() && null_is_unseen) return;
    if (expected.is_object()) {
        for (auto const& [key, value] : expected.items()) {
            if (!found.contains(key)) {
                BOOST_ERROR(where << ": '" << key << "' is missing");
                continue;
            }
            check(where + "." + key, found.at(key), value, key == "kurtosis" ? 2 * rtol : rtol, null_is_unseen);
        }
    } else if (expected.is_array()) {
        BOOST_TEST(found.size() == expected.size(), where << ": " << found.size() << " elements, expected " << expected.size());
        for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i)
            check(where + "[" + std::to_string(i) + "]", found[i], expected[i], rtol, null_is_unseen);
    } else if (expected.is_number_float()) {
        double const f = found.get<double>(), e = expected.get<double>();
        BOOST_TEST(std::abs(f - e) <= 1e-12 + rtol * std::abs(e), where << " is " << f << ", expected " << e);
    } else {
        BOOST_TEST(found == expected, where << " is " << found.dump() << ", expected " << expected.dump());
    }
}

void check_case(fs::path const& folder) {
    replayed_model model(folder);
    auto const x = tokens_of(folder);
    survey s;
    model.forward(x.ids, s);
    auto expected = parse_json(folder / "analysis.json");
    auto const keys = expected.at("attention").at("keys").get<std::vector<index_t>>();
    json const found = survey_json(model.facts(), s, survey_weights(model, true), x, keys);
    double const rtol = expected.at("tolerance").at("rtol");
    for (char const* other : {"interventions", "perplexity", "tolerance"}) expected.erase(other);
    if (expected.contains("token_types")) {   // the fixtures have the paper's own way, to which a newline is no delimiter
        expected["reference_token_types"] = expected.at("token_types");
        expected.erase("token_types");
    }
    check(folder.filename().string(), found, expected, rtol, true);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_survey_has_the_numbers_of_every_family) {
    for (auto const& folder : cases("llm")) check_case(folder);
}

BOOST_AUTO_TEST_CASE(a_survey_has_the_numbers_of_planted_models) {
    for (auto const& folder : cases("planted")) check_case(folder);
}

BOOST_AUTO_TEST_CASE(a_newline_is_a_delimiter_but_to_the_reference) {
    BOOST_TEST((token_type_of(5, "\n") == token_type::strong_delimiter));
    BOOST_TEST((token_type_of(5, "<0x0A>") == token_type::strong_delimiter));
    BOOST_TEST((reference_token_type(5, "\n") == token_type::weak_semantic));
    BOOST_TEST((token_type_of(0, "\n") == token_type::initial_token));
    BOOST_TEST((token_type_of(5, " The") == token_type::weak_semantic));
    BOOST_TEST((token_type_of(5, " ") == token_type::weak_semantic));
    BOOST_TEST((token_type_of(5, " King") == token_type::other));
    BOOST_TEST((token_type_of(5, {}) == token_type::other));
}

BOOST_AUTO_TEST_SUITE_END()
