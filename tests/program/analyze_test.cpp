// `attnlab analyze` as a user meets it, on every model of the fixtures: numbers key by key, and what was planted, found.
#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/view.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>

#include "analysis/expected_numbers.hpp"
#include "support.hpp"

BOOST_AUTO_TEST_SUITE(analyze)

using namespace attnlab;
using namespace attnlab::testing;
using attnlab::test::attnlab_run;
using attnlab::test::temporary_folder;
namespace fs = std::filesystem;
using indices = std::vector<index_t>;

namespace {

/// Runs a view of a case into `out` and reads its numbers.
json analysis_of(std::string const& view, fs::path const& folder, fs::path const& out, std::string const& more = "") {
    auto const strings = folder / "vocab_strings.json";
    auto const r = attnlab_run("analyze " + view + " " + (folder / "model").string() + " --tokens " +
                               (folder / "tokens.npy").string() + " --sequences 1 --out " + out.string() + " " + more +
                               (fs::exists(strings) ? " --strings " + strings.string() : ""));
    BOOST_TEST_REQUIRE(r.status == 0, folder.string() << ": " << view << ": " << r.text);
    BOOST_TEST(fs::exists(out / "report.html"));
    return parse_json(out / "analysis.json");
}

indices sorted(indices v) {
    std::sort(v.begin(), v.end());
    return v;
}

}  // namespace

BOOST_AUTO_TEST_CASE(position_has_the_numbers_of_every_model) {
    for (char const* kind : {"llm", "planted"})
        for (auto const& folder : analysed_cases(kind)) {
            temporary_folder out;
            auto const about = parse_json(folder / "analysis.json");
            std::string keys;
            for (index_t k : about.at("attention").at("keys").get<indices>())
                keys += (keys.empty() ? "" : ",") + std::to_string(k);
            auto const found = analysis_of("position", folder, out.path, "--keys " + keys);
            check_numbers(folder.filename().string(), found, expected_of(folder), about.at("tolerance").at("rtol"), false);
        }
}

BOOST_AUTO_TEST_CASE(the_life_of_what_was_planted_is_found) {
    for (auto const& folder : analysed_cases("planted")) BOOST_TEST_CONTEXT(folder.string()) {
            auto const truth = parse_json(folder / "case.json").at("planted");
            auto const number = [&](char const* name) { return truth.at(name).get<index_t>(); };
            auto const list = [&](char const* name) { return sorted(truth.at(name).get<indices>()); };
            temporary_folder out;
            auto const found = analysis_of("lifecycle", folder, out.path).at("lifecycle");
            BOOST_TEST(found.at("by_rule").get<bool>());
            BOOST_TEST((sorted(found.at("tokens").get<indices>()) == list("positions_in_tokens")));
            BOOST_TEST((sorted(found.at("channels").get<indices>()) == list("channels")));
            BOOST_TEST(found.at("birth").at("layer").get<index_t>() == number("layer"));
            BOOST_TEST((found.at("birth").at("neurons").get<indices>() == indices{number("neuron")}));
            BOOST_TEST((found.at("spread").at("layers").get<indices>() == list("sink_layers")));
            BOOST_TEST(found.at("vanish").at("layer").get<index_t>() == number("vanishes_in_layer"));
            std::set<index_t> cancel;
            for (auto const& e : found.at("vanish").at("entries"))
                for (std::size_t k = 0; k < 2; ++k) cancel.insert(e.at("neurons").at(k).at("neuron").get<index_t>());
            BOOST_TEST((indices(cancel.begin(), cancel.end()) == list("cancel_neurons")));
            // Silencing the neuron removes outliers and sinks, silencing another does not.
            auto const& test = found.at("test");
            BOOST_TEST_REQUIRE(test.size() == 3u);
            BOOST_TEST(test[0].at("outliers").get<int>() > 0);
            BOOST_TEST(test[1].at("outliers").get<int>() == 0);
            BOOST_TEST(test[2].at("outliers") == test[0].at("outliers"));
            BOOST_TEST(test[1].at("attention_share").get<double>() < .1);
            BOOST_TEST(test[2].at("attention_share").get<double>() > .9);
        }
}

BOOST_AUTO_TEST_CASE(overlap_and_existence_agree_with_what_was_planted) {
    auto const folders = analysed_cases("planted");
    if (folders.empty()) return;
    temporary_folder out;
    auto const overlaps = analysis_of("overlap", folders[0], out.path).at("overlaps");
    BOOST_TEST(overlaps.at("tokens_are_keys_1_later").at("without_first").at("iou").get<double>() == 1);
    BOOST_TEST(overlaps.at("rows_are_channels_in_any_layer").at("all").at("iou").get<double>() == 1);
    temporary_folder other;
    analysis_of("existence", folders[0], other.path);
    auto const table = read_text(other.path / "layer_out_outliers.csv");
    BOOST_TEST(std::count(table.begin(), table.end(), '\n') == 1 + 12);  // 3 layers, 2 tokens, 2 channels
}

BOOST_AUTO_TEST_CASE(own_checkpoints_too) {
    temporary_folder folder;
    auto const run = (folder.path / "run").string(), out = (folder.path / "out").string();
    BOOST_TEST_REQUIRE(attnlab_run("train --n_layer 2 --n_head 2 --n_embd 16 --batch_size 4 --eval_sequences 8 --max_iters 5 "
                                   "--progress none --out_dir " +
                                   run)
                           .status == 0);
    for (std::string const view : {"existence", "position", "lifecycle", "overlap"}) {
        auto const r = attnlab_run("analyze " + view + " " + run + " --sequences 3 --perplexity --out " + out);
        BOOST_TEST(r.status == 0, view << ": " << r.text);
        auto const found = parse_json(fs::path(out) / "analysis.json");
        BOOST_TEST(found.at("over_sequences").at("sequences").get<int>() == 3);
        BOOST_TEST(found.at("perplexity").at("windows").get<int>() == 3);
    }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_one_line) {
    auto const refused = [](std::string const& arguments, int status, std::string const& words) {
        auto const r = attnlab_run("analyze " + arguments);
        BOOST_TEST(r.status == status, arguments << ": exit " << r.status << ": " << r.text);
        BOOST_TEST(r.text.find(words) != std::string::npos, arguments << ": expected '" << words << "' in: " << r.text);
        BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, "one line expected: " << r.text);
    };
    refused("positon /nowhere", 2, "existence, position, lifecycle, overlap");
    refused("position /nowhere", 1, "/nowhere");
    auto const folders = analysed_cases("planted");
    if (folders.empty()) return;
    std::string const model = (folders[0] / "model").string(), tokens = " --tokens " + (folders[0] / "tokens.npy").string();
    refused("position " + model, 2, "--tokens");
    refused("position " + model + tokens + " --keys 9999", 2, "--keys");
    refused("position " + model + tokens + " --length 9999", 1, "expected at least 9999");
    refused("position " + model + " --tokens " + (folders[0] / "logits.npy").string(), 1, "logits.npy");
}

BOOST_AUTO_TEST_SUITE_END()
