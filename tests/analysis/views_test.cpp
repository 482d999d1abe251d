// The views of `attnlab analyze` on models of the fixtures, planted/ (outliers known) and llm/ (many families), key by key
// against analysis.json, which a NumPy computation made.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/views/survey_json.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/npy.hpp>

#include "analysis/expected_numbers.hpp"
#include "analysis/replayed_model.hpp"
#include "fixtures.hpp"

BOOST_AUTO_TEST_SUITE(views)

using namespace attnlab;
using namespace attnlab::testing;
namespace fs = std::filesystem;

namespace {

token_sequences tokens_of(fs::path const& folder, char const* file = "tokens.npy") {
    npy_array const a(folder / file);
    token_sequences x;
    x.ids.resize({a.shape.at(0), a.shape.at(1)});
    auto const ids = a.as<std::int32_t>();
    std::copy(ids.begin(), ids.end(), x.ids.data());
    x.from = file;
    if (fs::exists(folder / "vocab_strings.json")) {
        auto const strings = parse_json(folder / "vocab_strings.json").get<std::vector<std::string>>();
        x.text_of = [strings](std::int32_t id) {
            return token_text{strings.at(static_cast<std::size_t>(id)), strings.at(static_cast<std::size_t>(id))};
        };
    }
    return x;
}

void check_case(fs::path const& folder) {
    replayed_model model(folder);
    auto const x = tokens_of(folder);
    survey s;
    model.forward(x.ids, s);
    auto const about = parse_json(folder / "analysis.json");
    auto const keys = about.at("attention").at("keys").get<std::vector<index_t>>();
    json const found = survey_json(model.facts(), s, survey_weights(model, true), x, keys);
    check_numbers(folder.filename().string(), found, expected_of(folder), about.at("tolerance").at("rtol"), true);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_survey_has_the_numbers_of_every_family) {
    for (auto const& folder : analysed_cases("llm")) check_case(folder);
}

BOOST_AUTO_TEST_CASE(a_survey_has_the_numbers_of_planted_models) {
    for (auto const& folder : analysed_cases("planted")) check_case(folder);
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

BOOST_AUTO_TEST_CASE(a_lone_spike_stays_in_a_small_map) {
    tensor<float, 2> x({1000, 3000}, .5f);
    x(703, 2999) = -1e4f;
    pooled_map const map(view<float const, 2>(x), 96, 192);
    BOOST_TEST(map.values.size() == 96u * 192u);
    BOOST_TEST(map.values[map.row_cell(703) * 192 + map.column_cell(2999)] == 1e4f);
    BOOST_TEST(std::count(map.values.begin(), map.values.end(), .5f) == 96 * 192 - 1);
}

BOOST_AUTO_TEST_CASE(without_attention_outliers_the_largest_sums_are_the_keys) {
    attention_survey a;
    std::vector<float> sums(40, 1);
    sums[7] = 3, sums[30] = 2;  // T = 40: an outlier has 4
    a.see({site::pattern_sums::name, 0, 0, {1, 1, 40}, sums, {}});
    BOOST_TEST((a.found_keys() == std::vector<index_t>{7, 30}));
    sums[30] = 5;
    attention_survey b;
    b.see({site::pattern_sums::name, 0, 0, {1, 1, 40}, sums, {}});
    BOOST_TEST((b.found_keys() == std::vector<index_t>{30}));
}

BOOST_AUTO_TEST_CASE(sequences_may_come_in_parts) {
    // As a streamed pass shows them: layer by layer, some sequences at a time.
    tensor<float, 3> h({3, 5, 8});
    tensor<float, 3> sums({3, 2, 5}, 1.f);
    for (index_t i = 0; i < h.size(); ++i) h.data()[i] = static_cast<float>((i * 37) % 23) - 11.f;
    h(2, 3, 6) = 5000;
    auto const show = [&](survey& s, index_t layer, index_t first, index_t count) {
        s.see({site::resid_post::name, layer, first, {count, 5, 8}, {&h(first, 0, 0), static_cast<std::size_t>(count * 40)}, {}});
        s.see({site::pattern_sums::name,
               layer,
               first,
               {count, 2, 5},
               {&sums(first, 0, 0), static_cast<std::size_t>(count * 10)},
               {}});
    };
    survey whole({}, {.factor = 30}), parts({}, {.factor = 30});
    for (index_t l = 0; l < 2; ++l) show(whole, l, 0, 3);
    for (index_t l = 0; l < 2; ++l) show(parts, l, 0, 1), show(parts, l, 1, 2);
    BOOST_TEST((whole.layer_out().outliers().elements() == parts.layer_out().outliers().elements()));
    BOOST_TEST(whole.layer_out().outliers().size() == 2u);
    BOOST_TEST(whole.layer_out().outliers().elements()[0].at[0] == 2);  // the third sequence
    BOOST_TEST(whole.layer_out().at(1).all().median() == parts.layer_out().at(1).all().median());
    BOOST_TEST((whole.layer_out().at(0).top_channels == parts.layer_out().at(0).top_channels));
    BOOST_TEST((whole.attention().outliers().elements() == parts.attention().outliers().elements()));
}

BOOST_AUTO_TEST_SUITE_END()
