// `attnlab inspect` on every kind of file: what it says, and that a broken one is one line and exit 1.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/data/token_file.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/npy.hpp>

#include "fixtures.hpp"
#include "support.hpp"

using namespace attnlab;
using attnlab::test::attnlab_run;
using attnlab::test::temporary_folder;

BOOST_AUTO_TEST_SUITE(inspect_command)

namespace {

std::string quoted(std::filesystem::path const& path) { return " '" + path.string() + "'"; }

json inspected(std::filesystem::path const& path, std::string const& options = "") {
    auto const r = attnlab_run("inspect --json " + options + quoted(path));
    BOOST_TEST(r.status == 0, r.text);
    auto const j = parse_json_text(r.text, "inspect --json");
    BOOST_TEST(j.at("sound").get<bool>());
    return j;
}

void refused(std::filesystem::path const& path, std::string const& words, std::string const& options = "") {
    auto const r = attnlab_run("inspect " + options + quoted(path));
    BOOST_TEST(r.status == 1, r.text);
    BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, r.text);
    BOOST_TEST(r.text.find(words) != std::string::npos, "expected '" << words << "' in: " << r.text);
}

}  // namespace

BOOST_AUTO_TEST_CASE(model_folders) {
    int found = 0;
    for (auto const& entry : std::filesystem::directory_iterator(fixtures() / "llm")) {
        if (!entry.is_directory()) continue;
        auto const c = parse_json(entry.path() / "case.json");
        auto const j = inspected(entry.path() / "model");
        BOOST_TEST(j.at("kind") == "model folder");
        BOOST_TEST(j.at("family") == c.at("model_type"));
        BOOST_TEST(j.at("layers") == c.at("dims").at("layers"));
        BOOST_TEST(j.at("vocabulary") == c.at("dims").at("vocab"));
        BOOST_TEST((j.at("files").get<int>() > 1) == c.at("sharded").get<bool>());
        BOOST_TEST(j.at("warnings").empty(), j.at("warnings").dump());
        BOOST_TEST(!j.at("sites").empty());
        ++found;
    }
    BOOST_TEST(found > 0);
    auto const shown = attnlab_run("inspect" + quoted(fixtures() / "llm" / "llama3" / "model" / "config.json"));
    for (auto const* words : {"model folder", "llama", "BF16 21", "sites", "sound"}) BOOST_TEST(shown.text.find(words) != std::string::npos, shown.text);
}

BOOST_AUTO_TEST_CASE(arrays_tensors_and_tokens) {
    temporary_folder const folder;
    auto const npy = folder.path / "a.npy", bin = folder.path / "a.bin";
    write_npy(npy, {2, 2}, std::vector<std::int64_t>{3, 1, 4, 1});
    BOOST_TEST(inspected(npy).at("shape").dump() == "[2,2]");
    BOOST_TEST(inspected(npy, "--vocab 5").at("range").at("to") == 4);
    refused(npy, "token 4 at position 2", "--vocab 4");
    save_bin(bin, std::vector<token>{1, 2, 99});
    BOOST_TEST(inspected(bin).at("largest") == 99);
    BOOST_TEST(inspected(bin).at("warnings").size() == 1u);   // that no vocabulary is known
    BOOST_TEST(inspected(bin, "--vocab 100").at("warnings").empty());
    refused(bin, "token 99 at position 2: expected below 50", "--vocab 50");
    save_bin(bin, std::vector<token>{1, 2, 100000}, 128256);
    BOOST_TEST(inspected(bin).at("dtype") == "uint32");
    BOOST_TEST(inspected(bin).at("vocabulary") == 128256);
    auto const tensors = inspected(fixtures() / "llm" / "gpt2" / "expected.safetensors");
    BOOST_TEST(tensors.at("kind") == "safetensors");
    BOOST_TEST(tensors.at("tensors").size() == 35u);
    BOOST_TEST(tensors.at("values").at("infinite").get<int>() > 0);   // masked scores
    BOOST_TEST(inspected(fixtures() / "tokenizers" / "gpt2" / "tokenizer.json").at("kind") == "tokeniser");
    // Whatever its name.
    std::filesystem::copy_file(fixtures() / "tokenizers" / "gpt2" / "tokenizer.json", folder.path / "mine.json");
    BOOST_TEST(inspected(folder.path / "mine.json").at("kind") == "tokeniser");
}

BOOST_AUTO_TEST_CASE(checkpoints) {
    temporary_folder const folder;
    auto const run = folder.path / "run", file = run / "ckpt.safetensors";
    BOOST_TEST(attnlab_run("train --n_layer 1 --n_head 2 --n_embd 16 --batch_size 4 --eval_sequences 8 --progress none --max_iters 2 --policy attention_bias --out_dir" + quoted(run)).status == 0);
    for (auto const& path : {run, file}) {
        auto const j = inspected(path);
        BOOST_TEST(j.at("kind") == "checkpoint");
        BOOST_TEST(j.at("policy") == "attention_bias");
        BOOST_TEST(j.at("step") == 2);
        BOOST_TEST(j.at("width") == 16);
    }
    // A config that speaks of a larger model than the file's: nothing of that size is built.
    auto const bytes = read_text(file);
    auto const changed = [&](std::string const& from, std::string const& to) {
        auto other = bytes;
        auto const at = other.find(from);
        BOOST_REQUIRE(at != other.npos);
        std::ofstream(file, std::ios::binary) << other.replace(at, from.size(), to);
    };
    changed(R"(n_embd\":16)", R"(n_embd\":64)");
    refused(file, "'transformer.wte.weight': shape");
    changed(R"(attention_bias)", R"(attention_bios)");
    refused(file, "ckpt.safetensors");
}

BOOST_AUTO_TEST_CASE(what_is_none_of_these) {
    temporary_folder const folder;
    auto const write = [&](char const* name, std::string const& bytes) {
        std::ofstream(folder.path / name, std::ios::binary) << bytes;
        return folder.path / name;
    };
    refused(folder.path / "nothing", "no such file or folder");
    refused(folder.path, "expected a model's folder");
    refused(write("a.gguf", "GGUF"), "expected a model's folder");
    refused(write("pytorch_model.bin", "PK\3\4rest"), "pickle");
    refused(write("a.npy", "not"), "expected a .npy file");
    refused(write("a.safetensors", "not"), "header");
    refused(write("tokenizer.json", "{}"), "tokenizer.json");
    refused(write("run.json", R"({"iterations": 3, "options": {}})"), "run.json: no tokeniser");
    refused(write("config.json", "{\"model_type\": \"bert\"}"), "found pytorch_model.bin");
    refused(write("generation_config.json", "[]"), "generation_config.json");
    BOOST_TEST(attnlab_run("inspect").status == 2);
    BOOST_TEST(attnlab_run("inspect --help").status == 0);
}

BOOST_AUTO_TEST_SUITE_END()
