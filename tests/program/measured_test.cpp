// What commands measure a run on: the same predictions in all of them, by the run's own tokens, wherever its files are now.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>

#include "fixtures.hpp"
#include "support.hpp"

using namespace attnlab;
using namespace attnlab::test;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(measured)

namespace {

std::string const small = " --n_layer 1 --n_head 2 --n_embd 16 --block_size 16 --batch_size 4 --eval_sequences 6 --eval_interval 100 --progress none --measure false ";
fs::path const source = ATTNLAB_SOURCE_DIR;

std::string said(std::string const& arguments) {
    auto const r = attnlab_run(arguments);
    BOOST_TEST_REQUIRE(r.status == 0, arguments << ": " << r.text);
    return r.text;
}
json told(std::string const& arguments) { return parse_json_text(said(arguments + " --json --quiet"), arguments); }

void refused(std::string const& arguments, int status, std::string const& words) {
    auto const r = attnlab_run(arguments);
    BOOST_TEST(r.status == status, arguments << ": exit " << r.status << ": " << r.text);
    BOOST_TEST(r.text.find(words) != std::string::npos, arguments << ": expected '" << words << "' in: " << r.text);
    BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, "one line expected: " << r.text);
}

/// Loss and standard error by evaluate, perplexity and compress.
void expect_one_loss(std::string const& run, std::string const& more = "") {
    auto const a = told("perplexity " + run + more), b = told("compress " + run + more);
    BOOST_TEST_CONTEXT(run << more) {
        BOOST_TEST(a.at("windows").get<int>() == b.at("eval_sequences").get<int>());
        for (char const* name : {"loss", "standard_error"}) BOOST_TEST(std::abs(a.at(name).get<double>() - b.at(name).get<double>()) < 1e-5, name);
        auto const words = said("evaluate --quiet " + run + more);
        auto const number_after = [&](std::string const& what) { return std::stod(words.substr(words.find(what) + what.size())); };
        BOOST_TEST(std::abs(number_after("loss ") - a.at("loss").get<double>()) < 1e-4, words);
        BOOST_TEST(std::abs(number_after("standard error ") - a.at("standard_error").get<double>()) < 1e-4, words);
    }
}

void write(fs::path const& path, std::string const& words) {
    write_atomically(path, [&](std::ostream& out) {
        for (int i = 0; i < 400; ++i) out << words << i << "\n";
    });
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_checkpoint_has_one_loss) {
    temporary_folder folder;
    auto const run = (folder.path / "run").string(), text = (folder.path / "a.txt").string(), other = (folder.path / "b.txt").string();
    said("train --out_dir " + run + small + "--max_iters 5");
    expect_one_loss(run);
    expect_one_loss(run, " --device cpu");
    write(text, "the sea of "), write(other, "of a sea ");
    said("train --text " + text + " --level characters --out_dir " + run + "-text" + small + "--max_iters 5");
    expect_one_loss(run + "-text");
    expect_one_loss(run + "-text", " --text " + text);
    expect_one_loss(run + "-text", " --text " + other);
    BOOST_TEST(told("perplexity --sequences 3 " + run).at("windows").get<int>() == 3);
    BOOST_TEST(said("perplexity --quiet " + run + "-text").find("6 windows of 16 tokens, the last 10 % of " + text) != std::string::npos);
}

// A text is read by the tokeniser of the run, which needs neither the folder nor the text to be where they were.
BOOST_AUTO_TEST_CASE(a_text_is_read_by_the_tokens_of_the_run) {
    temporary_folder folder;
    auto const run = (folder.path / "run").string(), text = (source / "docs/policies.md").string(), words = (folder.path / "words").string();
    fs::copy(source / "tests/data/tokenizers/mistral", words);
    said("train --text " + text + " --tokenizer " + words + " --out_dir " + run + small + "--max_iters 30");
    expect_one_loss(run, " --text " + text);
    BOOST_TEST(told("perplexity " + run + " --text " + text).at("loss") == told("perplexity " + run).at("loss"));
    auto const dump = (folder.path / "out.safetensors").string();
    said("forward " + run + " --text " + text + " --sequences 2 --dump " + dump);
    BOOST_TEST(safetensors_reader(dump).at("logits").shape == (std::vector<index_t>{2, 16, safetensors_reader(run + "/ckpt.safetensors").at("transformer.wte.weight").shape[0]}),
               boost::test_tools::per_element());
    // Windows to look at begin where the text does, without BOS, as in training; every token is one word.
    auto const report = said("analyze existence " + run + " --factor 1 --perplexity --text " + text + " --sequences 2 --out " + (folder.path / "out").string());
    BOOST_TEST(report.find("Loss ") != std::string::npos, report);
    auto const page = read_text(folder.path / "out/report.md");
    BOOST_TEST(page.find("without BOS") != std::string::npos);
    BOOST_TEST(page.find("standard error") != std::string::npos);
    BOOST_TEST(report.find("'\n'") == std::string::npos, report);
    std::istringstream table(read_text(folder.path / "out/layer_out_outliers.csv"));
    for (std::string line; std::getline(table, line);) BOOST_TEST(line.starts_with(line[0] == 'l' ? "layer," : "0,"), line);
    fs::rename(words, words + "-2");
    for (std::string const command : {"evaluate ", "generate --max_new_tokens 3 ", "perplexity "}) {
        refused(command + run, 1, "--tokenizer says where it is now");
        said(command + run + " --tokenizer " + words + "-2");
    }
    refused("evaluate --data_dir " + words + " " + run, 2, "--data_dir");
}

BOOST_AUTO_TEST_CASE(a_text_is_read_by_the_tokens_of_a_folder_that_a_run_began_with) {
    temporary_folder folder;
    auto const run = (folder.path / "run").string(), text = (source / "docs/policies.md").string(), model = (folder.path / "model").string();
    fs::copy(fixtures() / "llm" / "llama2" / "model", model);
    fs::copy(source / "tests/data/tokenizers/metaspace/tokenizer.json", model);
    said("train --init_from " + model + " --text " + text + " --block_size 16 --batch_size 2 --eval_sequences 6 --max_iters 1 --measure false --progress none --out_dir " + run);
    expect_one_loss(run, " --text " + text);
    said("analyze position " + run + " --text " + text + " --out " + (folder.path / "out").string());
    // The folder itself is measured on all windows of the text.
    auto const all = told("perplexity " + model + " --length 16 --text " + text);
    BOOST_TEST(all.at("windows").get<int>() > 500);
    BOOST_TEST(told("perplexity " + model + " --length 16 --sequences 2 --text " + text).at("windows").get<int>() == 2);
}

BOOST_AUTO_TEST_CASE(a_run_is_measured_from_anywhere_on_what_it_was_trained_on) {
    temporary_folder folder;
    auto const in = [&](std::string const& place, std::string const& arguments) {
        fs::create_directories(folder.path / place);
        return shell("cd " + (folder.path / place).string() + " && " + ATTNLAB_PROGRAM + " " + arguments);
    };
    write(folder.path / "a.txt", "the sea of ");
    auto const trained = in(".", "train --text a.txt --out_dir run" + small + "--max_iters 5");
    BOOST_TEST_REQUIRE(trained.status == 0, trained.text);
    auto const here = in(".", "evaluate --quiet run"), below = in("below", "evaluate --quiet ../run");
    BOOST_TEST(here.status == 0, here.text);
    BOOST_TEST(below.text == here.text);
    // So is what was converted from it, which goes on wherever it is.
    auto const converted = in("below", "convert ../run made");
    BOOST_TEST(converted.status == 0, converted.text);
    BOOST_TEST(in("below", "train --config made/train.cfg --resume true --max_iters 6 --progress none").status == 0);
    fs::rename(folder.path / "below/made", folder.path / "moved");
    BOOST_TEST(in(".", "train --config moved/train.cfg --resume true --out_dir moved --max_iters 7 --progress none").status == 0);
    auto const on = in("below", "evaluate --quiet ../moved");
    BOOST_TEST(on.text.find("step 7") != std::string::npos, on.text);
    // Moved, and said where to; changed, and said so.
    fs::rename(folder.path / "a.txt", folder.path / "b.txt");
    auto const gone = in(".", "evaluate --quiet run");
    BOOST_TEST(gone.status == 1);
    BOOST_TEST(gone.text.find("--text says where it is now") != std::string::npos, gone.text);
    BOOST_TEST(in("below", "evaluate --quiet ../run --text ../b.txt").text == here.text);
    write(folder.path / "a.txt", "the sea and ");
    for (std::string const command : {"evaluate", "compress", "perplexity"}) {
        auto const other = in("below", command + " --quiet ../run");
        BOOST_TEST(other.status == 0, other.text);
        BOOST_TEST(other.text.find("warning: " + (folder.path / "a.txt").string() + ": changed since the run was trained") != std::string::npos, other.text);
    }
}

BOOST_AUTO_TEST_CASE(a_folder_is_measured_on_all_of_a_text) {
    auto const llama = (fixtures() / "llm" / "llama2").string(), stream = llama + "/stream.npy";
    auto const all = told("perplexity " + llama + "/model --length 8 --tokens " + stream), one = told("perplexity " + llama + "/model --length 8 --sequences 1 --tokens " + stream);
    BOOST_TEST(all.at("windows").get<int>() > 4);
    BOOST_TEST(one.at("windows").get<int>() == 1);
    BOOST_TEST(std::abs(one.at("loss").get<double>() - all.at("window_losses").at(0).get<double>()) < 1e-5);
    refused("perplexity --factor 3 --tokens " + stream + " " + llama + "/model", 2, "--intervene");
    refused("perplexity --layer 1 --tokens " + stream + " " + llama + "/model", 2, "--intervene");
    BOOST_TEST(said("perplexity --help").find("prompt") == std::string::npos);
}

// What is left in a folder of analyses is of the last one, and what else lay there.
BOOST_AUTO_TEST_CASE(an_analysis_takes_the_place_of_the_one_before) {
    temporary_folder folder;
    auto const run = (folder.path / "run").string(), out = (folder.path / "out").string();
    said("train --out_dir " + run + small + "--max_iters 5");
    said("analyze existence --quiet " + run + " --factor 2 --out " + out);
    auto const before = parse_json(fs::path(out) / "analysis.json").at("files");
    write_atomically(fs::path(out) / "mine.csv", [](std::ostream& to) { to << "mine\n"; });
    said("analyze position --quiet " + run + " --out " + out);
    auto const after = parse_json(fs::path(out) / "analysis.json").at("files");
    for (auto const& name : after) BOOST_TEST(fs::exists(fs::path(out) / name.get<std::string>()), name);
    BOOST_TEST(before.size() > 0u);
    for (auto const& name : before)
        BOOST_TEST(fs::exists(fs::path(out) / name.get<std::string>()) == (std::find(after.begin(), after.end(), name) != after.end()), name);
    BOOST_TEST(fs::exists(fs::path(out) / "mine.csv"));
}

BOOST_AUTO_TEST_SUITE_END()
