#include <attnlab/data/tokenizer/load.hpp>

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/io/npy.hpp>

#include "data/support.hpp"
#include "fixtures.hpp"
#include "fixtures/walk.hpp"

BOOST_AUTO_TEST_SUITE(tokenizer_files)

using namespace attnlab;
using attnlab::test::folder, attnlab::test::says;
namespace fs = std::filesystem;

namespace {

fs::path const own_cases = fs::path(ATTNLAB_SOURCE_DIR) / "tests/data/tokenizers";

/// What one expected record and a tokeniser say of each other.
void compare(tokenizer const& t, sorted_json const& e, std::string const& ids_key, std::vector<std::string>& faults) {
    auto const words = e["text"].get<std::string>();
    auto const check = [&](bool same, std::string const& what) {
        if (!same) faults.push_back(what + " of " + e["text"].dump(-1, ' ', true));
    };
    auto const ids = t.encode(words);
    auto const wanted = e[ids_key].get<std::vector<token>>();
    check(ids == wanted, ids_key);
    if (ids_key == "sp_ids") return check(t.decode(wanted) == e["sp_decoded"], "sp_decoded");
    check(t.encode(words, true) == e["ids_with_special"].get<std::vector<token>>(), "ids_with_special");
    check(t.decode(wanted) == e["decoded"], "decoded");
    check(t.decode(wanted, true) == e["decoded_skip_special"], "decoded_skip_special");
    std::vector<std::string> pieces;
    for (token id : wanted) pieces.push_back(t.piece(id));
    check(pieces == e["tokens"].get<std::vector<std::string>>(), "tokens");
}

std::vector<std::string> faults_of(fs::path const& folder, sorted_json const& expected) {
    std::vector<std::string> faults;
    auto const t = load_tokenizer(folder);
    for (auto const& e : expected) compare(*t, e, "ids", faults);
    if (fs::exists(folder / "long_ids.npy")) {
        if (t->encode(read_text(folder / "long.txt")) != npy_array(folder / "long_ids.npy").as<token>())
            faults.push_back("long.txt");
    }
    if (fs::exists(folder / "tokenizer.model")) {
        auto const library = load_tokenizer(folder / "tokenizer.model");
        for (auto const& e : expected) compare(*library, e, "sp_ids", faults);
    }
    return faults;
}

testing::walk_summary walk_tokenizers(fs::path const& root, std::ostream& out) {
    return testing::walk(root, out, [](fs::path const& folder, json const&) {
        return testing::verdict{{}, faults_of(folder, parse_json<sorted_json>(folder / "expected.json"))};
    });
}

/// A tokenizer.json of three pieces with the field at a JSON pointer replaced.
std::string small_file(std::string const& pointer = "", std::string const& value = "") {
    auto file = sorted_json::parse(R"({"version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": 3, "content": "<s>", "special": true}], "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "post_processor": null, "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})");
    if (!pointer.empty()) file[sorted_json::json_pointer(pointer)] = sorted_json::parse(value);
    return file.dump();
}

}  // namespace

BOOST_AUTO_TEST_CASE(agree_with_every_fixture) {
    BOOST_TEST(testing::good(walk_tokenizers(fixtures() / "tokenizers", std::cout)));
}

BOOST_AUTO_TEST_CASE(agree_with_hugging_face_in_every_form) { BOOST_TEST(testing::good(walk_tokenizers(own_cases, std::cout))); }

BOOST_AUTO_TEST_CASE(that_disagree_are_found) {
    auto expected = parse_json<sorted_json>(own_cases / "neox/expected.json");
    auto const spoilt = [&](std::string const& key, sorted_json const& value) {
        auto other = expected;
        other[6][key] = value;
        return faults_of(own_cases / "neox", other).size();
    };
    BOOST_TEST(spoilt("ids", {1, 2}) > 0u);
    BOOST_TEST(spoilt("ids_with_special", {1, 2}) > 0u);
    BOOST_TEST(spoilt("decoded", "x") > 0u);
    BOOST_TEST(spoilt("decoded_skip_special", "x") > 0u);
    BOOST_TEST(spoilt("tokens", expected[7]["tokens"]) > 0u);
    std::ostringstream ignored;
    folder const empty;
    BOOST_TEST(!testing::good(walk_tokenizers(empty.path, ignored)));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_become_replacement_characters) {
    // Python: b"..".decode("utf-8", errors="replace")
    std::vector<std::pair<std::string, std::string>> const cases{{"a\xff"
                                                                  "b",
                                                                  "a\uFFFDb"},
                                                                 {"\xc3", "\uFFFD"},
                                                                 {"\xe4\xbd", "\uFFFD"},
                                                                 {"\xe4\xbdx", "\uFFFDx"},
                                                                 {"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
                                                                 {"\xc0\xaf", "\uFFFD\uFFFD"},
                                                                 {"\xf0\x9f\x98", "\uFFFD"},
                                                                 {"\xf5\x80", "\uFFFD\uFFFD"},
                                                                 {"\xf4\x90", "\uFFFD\uFFFD"},
                                                                 {"caf\xc3\xa9\xa9", "caf\u00e9\uFFFD"}};
    for (auto const& [bytes, words] : cases) {
        std::string storage;
        BOOST_TEST(tokenizers::valid_utf8(bytes, storage) == words);
    }
    for (auto const* name : {"falcon", "mistral"}) {
        auto const t = load_tokenizer(own_cases / name);
        for (auto const& [bytes, words] : cases)
            BOOST_TEST(t->encode(bytes) == t->encode(words), boost::test_tools::per_element());
    }
    auto const t = load_tokenizer(own_cases / "falcon");
    auto const half = t->find("\u00c3");  // the byte C3 in GPT-2's alphabet
    BOOST_TEST(t->decode(std::vector{*half}) == "\uFFFD");
}

BOOST_AUTO_TEST_CASE(say_what_they_are) {
    auto const t = load_tokenizer(own_cases / "starcoder");
    BOOST_TEST((t->bos() == t->find("<s>") && t->bos().has_value()));
    BOOST_TEST((t->eos() == t->find("</s>") && t->eos().has_value()));
    BOOST_TEST(t->size() == *t->find("</s>") + 1);
    BOOST_TEST(!t->find("no such piece").has_value());
    says([&] { t->piece(-1); }, {"token -1"});
    says([&] { t->piece(static_cast<token>(t->size())); }, {"expected one of the tokeniser's"});
    says([&] { t->decode(std::vector<token>{0, 99999}); }, {"token 99999 at position 1"});
}

BOOST_AUTO_TEST_CASE(serve_many_threads) {
    auto const t = load_tokenizer(own_cases / "mistral");
    auto const expected = parse_json<sorted_json>(own_cases / "mistral/expected.json");
    std::vector<std::vector<std::string>> faults(4);
    std::vector<std::thread> threads;
    for (auto& mine : faults)
        threads.emplace_back([&] {
            for (int round = 0; round < 5; ++round)
                for (auto const& e : expected) compare(*t, e, "ids", mine);
        });
    for (auto& thread : threads) thread.join();
    for (auto const& mine : faults) BOOST_TEST(mine.empty());
}

BOOST_AUTO_TEST_CASE(of_classic_folders_are_read) {
    auto const file = parse_json<sorted_json>(own_cases / "neox/tokenizer.json");
    folder const here;
    here.with("vocab.json", file["model"]["vocab"].dump());
    std::string merges = "#version: 0.2\n";
    for (auto const& m : file["model"]["merges"]) merges += m[0].get<std::string>() + ' ' + m[1].get<std::string>() + '\n';
    here.with("merges.txt", merges);
    auto const plain = load_tokenizer(here.path), whole = load_tokenizer(own_cases / "neox");
    auto const sentence = "It's  the model of a language: 1234 na\u00efve\n\nwords";
    BOOST_TEST(plain->encode(sentence) == whole->encode(sentence), boost::test_tools::per_element());
    BOOST_TEST(plain->decode(plain->encode(sentence)) == sentence);

    // As OPT's: a BOS among the vocabulary, another token beyond it.
    auto const V = static_cast<token>(file["model"]["vocab"].size());
    here.with("tokenizer_config.json",
              R"({"add_bos_token": true, "bos_token": {"__type": "AddedToken", "content": "the", "special": true},
        "eos_token": "<end>", "tokenizer_class": "GPT2Tokenizer"})");
    here.with("added_tokens.json", text("{\"<end>\": ", V, "}"));
    auto const opt = load_tokenizer(here.path);
    BOOST_TEST(*opt->bos() == *whole->find("the"));
    BOOST_TEST(*opt->eos() == V);
    BOOST_TEST(opt->encode("a<end>", true) == (std::vector<token>{*opt->bos(), *opt->find("a"), V}),
               boost::test_tools::per_element());

    fs::remove(here.path / "added_tokens.json");
    here.with("tokenizer_config.json",
              text(R"({"added_tokens_decoder": {")", V + 1, R"(": {"content": "<two>", "special": true}, ")", V,
                   R"(": {"content": "<one>", "lstrip": true}}, "additional_special_tokens": ["<two>", "<three>"]})"));
    auto const more = load_tokenizer(here.path);
    BOOST_TEST(more->encode("a  <one><three><two>") == (std::vector<token>{*more->find("a"), V, V + 2, V + 1}),
               boost::test_tools::per_element());
    BOOST_TEST(more->decode(std::vector<token>{V, V + 1, V + 2}, true) == "<one>");

    here.with("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "y"}}})");
    says([&] { load_tokenizer(here.path); }, {"tokenizer_config.json", "added_tokens_decoder", "'x'"});
    here.with("tokenizer_config.json", R"({"bos_token": {"content": "y", "special": 1}})");
    says([&] { load_tokenizer(here.path); }, {"tokenizer_config.json", "bos_token", "'special'"});
    here.with("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer"})");
    says([&] { load_tokenizer(here.path); }, {"tokenizer_config.json", "tokenizer_class", "RobertaTokenizer"});
    here.with("tokenizer_config.json", "{}");
    here.with("merges.txt", "a b\na b c\n");
    says([&] { load_tokenizer(here.path); }, {"merges.txt", "line 2"});
}

BOOST_AUTO_TEST_CASE(that_are_broken_are_one_line) {
    folder const here;
    says([&] { load_tokenizer(here.path); }, {"tokenizer.json", "expected"});
    says([&] { load_tokenizer(here.path / "none.json"); }, {"none.json"});
    says([&] { load_tokenizer(here.with("tokenizer.json", "{\"model\": ")); }, {"tokenizer.json", "line 1"});
    says([&] { load_tokenizer(here.with("tokenizer.model", "no model")); }, {"tokenizer.model", "SentencePiece"});
    says([&] { load_tokenizer(here.with("tokenizer.model", "")); }, {"tokenizer.model", "SentencePiece"});
    fs::remove(here.path / "tokenizer.model");
    BOOST_CHECK_NO_THROW(load_tokenizer(here.with("tokenizer.json", small_file())));

    auto const split = [](std::string const& pattern) {
        return R"({"type": "Split", "behavior": "Isolated", "pattern": {)" + pattern + "}}";
    };
    struct fault {
        std::string pointer, value, place, what;
    };
    std::vector<fault> const faults{
        {"/model/type", R"("Unigram")", "model", "'type': 'Unigram'"},
        {"/model/vocab", "[1, 2]", "model.vocab", "an object"},
        {"/model/vocab/a", "-1", "model.vocab", "'a'"},
        {"/model/vocab/a", "1e10", "model.vocab", "'a'"},
        {"/model/vocab/a", "4294967296", "model.vocab", "'a'"},
        {"/model/vocab/a", "1", "model.vocab", "token 1"},
        {"/model/merges", "null", "model.merges", "a list"},
        {"/model/merges", R"(["a b c"])", "model.merges[0]", "a b c"},
        {"/model/merges", R"([["a", "z"]])", "model.merges[0]", "'z'"},
        {"/model/merges", R"([["a", "b"], ["b", "a"]])", "model.merges[1]", "'ba'"},
        {"/model/dropout", "0.1", "model", "'dropout'"},
        {"/model/end_of_word_suffix", R"("</w>")", "model", "'end_of_word_suffix'"},
        {"/model/new_field", "1", "model", "'new_field'"},
        {"/new_field", "1", "tokenizer.json", "'new_field'"},
        {"/version", R"("2.0")", "'version'", "2.0"},
        {"/normalizer", R"({"type": "Lowercase"})", "normalizer", "'Lowercase'"},
        {"/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "NFC", "form": 1}]})", "normalizer.normalizers[0]",
         "'form'"},
        {"/normalizer", "{}", "normalizer", "'type'"},
        {"/pre_tokenizer", R"({"type": "BertPreTokenizer"})", "pre_tokenizer", "'BertPreTokenizer'"},
        {"/pre_tokenizer", split(R"x("Regex": "(a")x"), "pre_tokenizer.pattern", "(a"},
        {"/pre_tokenizer", split(R"("Regex": "a{2}+")"), "pre_tokenizer.pattern", "}+"},
        {"/pre_tokenizer", split(R"("Regex": "[a&&b]")"), "pre_tokenizer.pattern", "&&"},
        {"/pre_tokenizer", split(R"("Regex": "\\bx")"), "pre_tokenizer.pattern", "'\\b'"},
        {"/pre_tokenizer", split(R"x("Regex": "a(?<name>b)")x"), "pre_tokenizer.pattern", "'(?<'"},
        {"/pre_tokenizer", split(""), "pre_tokenizer.pattern", "String"},
        {"/pre_tokenizer", R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Else"})", "pre_tokenizer", "'Else'"},
        {"/pre_tokenizer", R"({"type": "Metaspace", "replacement": "ab"})", "pre_tokenizer", "'replacement'"},
        {"/post_processor", R"({"type": "RobertaProcessing"})", "post_processor", "'RobertaProcessing'"},
        {"/post_processor", R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})", "post_processor.single",
         "one Sequence"},
        {"/decoder", R"({"type": "WordPiece"})", "decoder", "'WordPiece'"},
        {"/added_tokens/0/id", "7", "added_tokens[0]: '<s>'", "expected 3"},
        {"/added_tokens/1", R"({"id": 4, "content": "<s>"})", "added_tokens[1]", "twice"},
        {"/added_tokens/0/strip", "true", "added_tokens[0]", "'strip'"},
    };
    for (auto const& f : faults)
        says([&] { load_tokenizer(here.with("tokenizer.json", small_file(f.pointer, f.value))); },
             {"tokenizer.json", f.place, f.what});
}

BOOST_AUTO_TEST_CASE(among_the_bad_fixtures_are_refused) {
    int seen = 0;
    for (auto const& entry : fs::directory_iterator(fixtures() / "bad")) {
        auto const c = parse_json(entry.path() / "case.json");
        if (c["target"] != "tokenizer") continue;
        ++seen;
        for (auto const& name : c["message_names"])
            says([&] { load_tokenizer(entry.path() / c["path"].get<std::string>()); }, {name.get<std::string>()});
    }
    BOOST_TEST(seen > 0);
}

BOOST_AUTO_TEST_CASE(split_long_runs_in_time) {
    for (auto const* name : {"falcon", "o200k", "gemma", "plain"}) {
        auto const t = load_tokenizer(own_cases / name);
        for (auto const* unit : {" ", "e", "\n", "!", "1"}) {
            std::string words;
            for (int i = 0; i < 200000; ++i) words += unit;
            auto const tokens = t->encode(words);
            BOOST_TEST((name == std::string("plain") || t->decode(tokens) == words));
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
