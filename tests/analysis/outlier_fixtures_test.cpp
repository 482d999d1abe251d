// The definitions on the arrays of the fixtures: planted/ (models whose outliers are known) and llm/ (small models of many
// families), held against their analysis.json, which a NumPy computation made. A folder of fixtures without these two has nothing
// to say here.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/hidden_scores.hpp>
#include <attnlab/analysis/outliers.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>

#include "fixtures.hpp"

BOOST_AUTO_TEST_SUITE(outlier_fixtures)

using namespace attnlab;
namespace fs = std::filesystem;
namespace tt = boost::test_tools;

namespace {

std::vector<fs::path> cases(char const* kind) {
    std::vector<fs::path> out;
    if (fs::is_directory(fixtures() / kind))
        for (auto const& entry : fs::directory_iterator(fixtures() / kind))
            if (fs::exists(entry.path() / "analysis.json") && fs::exists(entry.path() / "expected.safetensors"))
                out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

/// A tensor of rank N, of the first sequence.
template <std::size_t N>
struct array {
    std::vector<float> values;
    std::array<index_t, N> shape{};
    array(safetensors_reader const& file, std::string const& name) {
        auto const& t = file.at(name);
        require(t.shape.size() == N, name, ": expected ", N, " axes");
        std::copy(t.shape.begin(), t.shape.end(), shape.begin());
        values.resize(static_cast<std::size_t>(view<float, N>(nullptr, shape).size()));
        file.copy_to(name, std::span<float>(values));
        if (N > 2) shape[0] = 1;
    }
    view<float const, N> operator*() const { return {values.data(), shape}; }
};

struct fixture {
    fs::path folder;
    json about, expected;
    safetensors_reader sites;
    index_t layers;

    explicit fixture(fs::path const& path)
        : folder(path),
          about(parse_json(path / "case.json")),
          expected(parse_json(path / "analysis.json")),
          sites(path / "expected.safetensors"),
          layers(static_cast<index_t>(expected.at("attention").at("attention_outliers").size())) {}

    std::string name(index_t layer, char const* site) const { return text("layers.", layer, ".", site); }
    double rtol(char const* of = "rtol") const { return expected.at("tolerance").at(of); }

    /// Outliers at a site of rows in all layers that the file has.
    template <class Site, class Rule>
    auto rows(char const* site, Rule const& rule) const {
        outlier_finder<float, Rule, Site> f(rule, {.layers = layers});
        for (index_t l = 0; l < layers; ++l)
            if (sites.contains(name(l, site))) f({}, l, *array<3>(sites, name(l, site)));
        return f.set();
    }
    /// Outliers of attention, from column sums or whole weights.
    template <class Rule>
    auto attention(Rule const& rule) const {
        if (sites.contains(name(0, "cumulative"))) {
            outlier_finder<float, Rule, site::pattern_sums> f(rule);
            for (index_t l = 0; l < layers; ++l) f({}, l, *array<3>(sites, name(l, "cumulative")));
            return f.set();
        }
        outlier_finder<float, Rule, site::pattern> f(rule);
        for (index_t l = 0; l < layers; ++l) f({}, l, *array<4>(sites, name(l, "attn_probs")));
        return f.set();
    }
    /// The weight `module` of a layer, from whichever file of the model has it.
    std::optional<array<2>> weight(index_t layer, std::string const& module) const {
        std::string const end = text(".", layer, ".", module, ".weight");
        for (auto const& entry : fs::directory_iterator(folder / "model"))
            if (entry.path().extension() == ".safetensors") {
                safetensors_reader const file(entry.path());
                for (auto const& t : file.tensors())
                    if (("." + t.name).ends_with(end)) return array<2>(file, t.name);
            }
        return {};
    }
};

template <class Site>
void check_rows(fixture const& f, char const* site) {
    if (!f.expected.contains(site)) return;
    auto const& expected = f.expected.at(site);
    auto const set = f.rows<Site>(site, mean_ratio{});
    auto const near = tt::tolerance(f.rtol()), kurtosis_near = tt::tolerance(f.rtol("kurtosis_rtol"));
    for (index_t l = 0; l < f.layers; ++l) {
        if (!f.sites.contains(f.name(l, site))) continue;
        BOOST_TEST_CONTEXT(f.name(l, site)) {
            std::vector<std::vector<index_t>> entries;
            for (auto const& e : set)
                if (e.at[1] == l) entries.push_back({e.at[2], e.at[3]});
            BOOST_TEST((entries == expected.at("activation_outliers")
                                       .at(static_cast<std::size_t>(l))
                                       .at("entries")
                                       .get<std::vector<std::vector<index_t>>>()));
            array<3> const h(f.sites, f.name(l, site));
            hidden_scores s;
            s.add(*h);
            auto const magnitudes = expected.at("layer_magnitudes").at(static_cast<std::size_t>(l)).get<std::vector<double>>();
            for (int rank = 0; rank < 3; ++rank) BOOST_TEST(s.top(rank) == magnitudes[static_cast<std::size_t>(rank)], near);
            BOOST_TEST(s.median() == magnitudes[3], near);
            auto const& kurtosis = expected.at("kurtosis").at(static_cast<std::size_t>(l));
            BOOST_TEST(s.element_kurtosis() == kurtosis.at("flat").get<double>(), kurtosis_near);
            auto const T = static_cast<double>(h.shape[1]);
            auto const tokens = s.token_kurtosis();
            BOOST_TEST((tokens.first + (T - 1) * tokens.rest) / T == kurtosis.at("token_mean").get<double>(), kurtosis_near);
        }
    }
}

void check_attention(fixture const& f) {
    auto const& expected = f.expected.at("attention");
    std::vector<std::vector<index_t>> keys(static_cast<std::size_t>(f.layers));
    for (auto const& e : f.attention(attention_column{})) keys[static_cast<std::size_t>(e.at[1])].push_back(e.at[2]);
    BOOST_TEST((keys == expected.at("attention_outliers").get<std::vector<std::vector<index_t>>>()));

    auto const sinks = f.attention(sink_rule{.eps = expected.at("sink").at("eps"), .length = 0});
    double const heads = static_cast<double>(f.layers * sinks.range<axis::head>().size());
    std::vector<double> share(static_cast<std::size_t>(expected.at("T").get<index_t>()));
    for (auto const& e : sinks) share[static_cast<std::size_t>(e.at[3])] += 1 / heads;
    auto const all = expected.at("sink").at("all_tokens").get<std::vector<double>>();
    BOOST_TEST(share == all, tt::tolerance(1e-9) << tt::per_element());
}

void check_weights(fixture const& f) {
    auto const& expected = f.expected.at("weights");
    bool const turned = f.about.value("model_type", "") == "gpt2";   // stores (in, out)
    auto const near = tt::tolerance(f.rtol());
    for (auto const& [module, ratios] : expected.at("modules").items())
        for (index_t l = 0; l < f.layers; ++l) {
            auto const w = f.weight(l, module);
            BOOST_REQUIRE_MESSAGE(w, f.folder.string() << ": no weight " << module << " of layer " << l);
            auto const columns = ratios_of(**w, line::column), rows = ratios_of(**w, line::row);
            double const largest = std::max(columns.ratio[columns.order()[0]], rows.ratio[rows.order()[0]]);
            BOOST_TEST(largest == ratios.at(static_cast<std::size_t>(l)).get<double>(), near);
            if (f.expected.at("down_matrix") != module) continue;
            auto const& down = turned ? rows : columns;
            auto const& e = expected.at("down_columns").at(static_cast<std::size_t>(l));
            auto order = down.order();
            BOOST_TEST(down.ratio[order[0]] == e.at("max").get<double>(), near);
            auto copy = down.ratio;
            BOOST_TEST(lower_median(copy) == e.at("median").get<double>(), near);
            order.resize(3);
            BOOST_TEST((order == e.at("top3").get<std::vector<std::size_t>>()), f.folder.string()
                                                                                    << ": down columns of layer " << l);
        }
}

void check(fixture const& f) {
    BOOST_TEST_MESSAGE(f.folder.string());
    BOOST_TEST_CONTEXT(f.folder.string()) {
        check_rows<site::resid_post>(f, "layer_out");
        check_rows<site::mlp_post>(f, "down_in");
        check_attention(f);
        check_weights(f);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(models_of_many_families) {
    for (auto const& folder : cases("llm")) check(fixture(folder));
}

BOOST_AUTO_TEST_CASE(planted_models) {
    for (auto const& folder : cases("planted")) check(fixture(folder));
}

BOOST_AUTO_TEST_CASE(what_was_planted_is_found_and_no_more) {
    for (auto const& folder : cases("planted"))
        BOOST_TEST_CONTEXT(folder.string()) {
            fixture const f(folder);
            auto const& truth = f.about.at("planted");
            auto const from = truth.at("layer").get<index_t>(), to = truth.at("vanishes_in_layer").get<index_t>(),
                       neuron = truth.at("neuron").get<index_t>();
            auto positions = truth.at("positions_in_tokens").get<std::vector<index_t>>(),
                 channels = truth.at("channels").get<std::vector<index_t>>();
            std::sort(channels.begin(), channels.end());
            std::vector<std::array<index_t, 4>> expected;
            for (index_t l = from; l < to; ++l)
                for (index_t t : positions)
                    for (index_t c : channels) expected.push_back({0, l, t, c});

            auto const by_mean = f.rows<site::resid_post>("layer_out", mean_ratio{});
            BOOST_TEST((by_mean.coordinates() == expected));
            // The median is a smaller scale than the mean, so that other channels of the marked positions may pass: all that was
            // planted does.
            auto const by_median = f.rows<site::resid_post>("layer_out", massive{});
            for (auto const& at : expected) BOOST_TEST(by_median.contains(at));
            for (auto const& e : by_median)
                BOOST_TEST((std::find(positions.begin(), positions.end(), e.at[2]) != positions.end()));

            // The weight that makes them, by its ratio; the layer that removes them stands out too.
            outlier_finder<float, weight_ratio, site::weight<"mlp.down_proj">> weights;
            for (index_t l = 0; l < f.layers; ++l) weights({}, l, **f.weight(l, "mlp.down_proj"));
            auto const born = weights.set().restrict<axis::layer>(from, from + 1);
            auto const rows = truth.at("weight_column").at("rows").get<std::vector<index_t>>();
            for (auto const& e : born) {
                BOOST_TEST(e.at[2] == neuron);
                BOOST_TEST((std::find(rows.begin(), rows.end(), e.at[1]) != rows.end()));
            }
            BOOST_TEST(!born.empty());

            // The paper's three claims, in numbers.
            auto const stream = by_mean.restrict<axis::layer>(from, from + 1);
            auto const claim1 = overlap(born.project<axis::layer, axis::row>().rename<axis::row, axis::channel>(),
                                        stream.project<axis::layer, axis::channel>());
            BOOST_TEST(*claim1.recall_of_a == 1);
            BOOST_TEST(*claim1.p() < .04);   // one or two channels of 64
            auto const inner = f.rows<site::mlp_post>("down_in", mean_ratio{}).project<axis::layer, axis::neuron>();
            auto const claim2 = overlap(born.project<axis::layer, axis::column>().rename<axis::column, axis::neuron>(), inner);
            BOOST_TEST(*claim2.iou == 1);
            auto const keys = f.attention(attention_column{}).rename<axis::key, axis::token>();
            auto const claim3 = overlaps(by_mean.project<axis::sequence, axis::layer, axis::token>(), keys, {.layer_offset = 1});
            BOOST_TEST(*claim3.all.iou == 1);
            BOOST_TEST(*claim3.without_first->iou == 1);
            BOOST_TEST(*claim3.all.log10_p < -10);

            // Layer by layer without an offset, as analysis.json has it.
            for (index_t l = 0; l < f.layers; ++l) {
                auto const o = overlap(by_mean.project<axis::layer, axis::token>().restrict<axis::layer>(l, l + 1),
                                       keys.project<axis::layer, axis::token>().restrict<axis::layer>(l, l + 1));
                auto const& e = f.expected.at("overlap").at(static_cast<std::size_t>(l));
                BOOST_TEST(o.iou.has_value() == !e.is_null());
                if (o.iou && !e.is_null()) BOOST_TEST(*o.iou == e.get<double>());
            }

            // The super weight, from the short sequence: input and output of the down projection of the same layer. (A few
            // outliers among 32 tokens lift the mean too much for the rule of the mean.)
            safetensors_reader const brief(folder / "expected_short.safetensors");
            outlier_finder<float, massive, site::mlp_post> in;
            outlier_finder<float, massive, site::mlp_out> out;
            in({}, from, *array<3>(brief, f.name(from, "down_in"))), out({}, from, *array<3>(brief, f.name(from, "down_out")));
            auto const super = super_weight{}.find(in.set(), out.set());
            BOOST_REQUIRE(super.size() == 1u);
            BOOST_TEST(super.elements()[0].at[2] == neuron);
            BOOST_TEST((std::find(rows.begin(), rows.end(), super.elements()[0].at[1]) != rows.end()));
        }
}

BOOST_AUTO_TEST_SUITE_END()
