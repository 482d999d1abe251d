// The commands as a user meets them: what they say, what they leave behind, how they fail.
#include <algorithm>
#include <cmath>
#include <sstream>

#include <boost/test/unit_test.hpp>

#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>

#include "support.hpp"

using attnlab::read_text;
using attnlab::test::attnlab_run;
using attnlab::test::temporary_folder;

BOOST_AUTO_TEST_SUITE(commands)

namespace {
// A run of seconds: one layer, a few steps.
std::string const small = " --n_layer 1 --n_head 2 --n_embd 16 --batch_size 4 --eval_sequences 8 --eval_interval 10 --progress none ";

void expect_usage_error(std::string const& arguments, std::string const& words) {
    auto const r = attnlab_run(arguments);
    BOOST_TEST(r.status == 2, arguments << ": exit " << r.status << ": " << r.text);
    BOOST_TEST(r.text.find(words) != std::string::npos, arguments << ": expected '" << words << "' in: " << r.text);
    BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, "one line expected: " << r.text);
}
}  // namespace

BOOST_AUTO_TEST_CASE(wrong_usage_is_one_line_and_exit_2) {
    expect_usage_error("reprduce", "nearest: reproduce");
    expect_usage_error("train --learnign_rate 1", "nearest: learning_rate");
    expect_usage_error("train --max_iters many", "expected a whole number");
    expect_usage_error("train --policy softmx", "nearest: softmax");
    expect_usage_error("sites blocks.0.hook_reisd_pre", "nearest: hook_resid_pre");
    expect_usage_error("sites blocks.4.hook_resid_pre --layers 4", "expected a layer from 0 to 3");
    expect_usage_error("train --dropout 0.1", "dropout");
    expect_usage_error("train --n_embd 10 --n_head 4", "n_embd");
    expect_usage_error("train --task text", "--text");
    expect_usage_error("train --preset huge", "smoke");
    expect_usage_error("train --rate_factors k_bias", "name:factor");
    expect_usage_error("evaluate", "CHECKPOINT");
    expect_usage_error("compress", "CHECKPOINT");
    expect_usage_error("scale", "CHECKPOINT");
    expect_usage_error("convert run", "OUT");
    expect_usage_error("compress --eval_sequences -1 run", "expected a whole number, 0 or more");
    expect_usage_error("reproduce --policies softmax,nonsense", "nonsense");
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_named) {
    for (std::string const arguments : {"reproduce --text /nowhere/a.txt", "train --task text --text /nowhere/a.txt", "evaluate /nowhere", "compress /nowhere"}) {
        auto const r = attnlab_run(arguments);
        BOOST_TEST(r.status == 1);
        BOOST_TEST(r.text.find("/nowhere") != std::string::npos, r.text);
    }
}

BOOST_AUTO_TEST_CASE(a_short_text_is_named) {
    temporary_folder folder;
    attnlab::write_atomically(folder.path / "short.txt", [](std::ostream& out) { out << "a few words"; });
    auto const r = attnlab_run("train --text " + (folder.path / "short.txt").string() + " --out_dir " + (folder.path / "run").string());
    BOOST_TEST(r.status == 1);
    BOOST_TEST(r.text.find("short.txt") != std::string::npos, r.text);
    BOOST_TEST(!std::filesystem::exists(folder.path / "run"));
}

BOOST_AUTO_TEST_CASE(help_and_lists) {
    for (std::string const command : {"--help", "train --help", "reproduce --help", "evaluate --help", "compress --help", "scale --help", "convert --help", "generate --help", "benchmark --help"})
        BOOST_TEST(attnlab_run(command).status == 0, command);
    BOOST_TEST(attnlab_run("policies").text.find("context_scale.0.weight") != std::string::npos);
    BOOST_TEST(attnlab_run("sites").text.find("attn.hook_pattern") != std::string::npos);
    BOOST_TEST(attnlab_run("sites layers.3.down_out").text.find("blocks.3.hook_mlp_out") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(resume_continues_bit_for_bit) {
    temporary_folder folder;
    for (std::string const policy : {"softmax", "ca_softmax", "attention_bias"}) {
        auto const whole = (folder.path / (policy + "-whole")).string(), parts = (folder.path / (policy + "-parts")).string();
        BOOST_TEST(attnlab_run("train --policy " + policy + small + "--max_iters 40 --out_dir " + whole).status == 0);
        // The schedule is the whole run's in both.
        BOOST_TEST(attnlab_run("train --policy " + policy + small + "--max_iters 20 --lr_decay_iters 1500 --out_dir " + parts).status == 0);
        BOOST_TEST(attnlab_run("train --policy " + policy + small + "--max_iters 40 --lr_decay_iters 1500 --resume true --out_dir " + parts).status == 0);
        auto const evaluate = [](std::string const& folder) { return attnlab_run("evaluate " + folder).text; };
        BOOST_TEST(evaluate(whole) == evaluate(parts));
        BOOST_TEST(evaluate(whole).find("step 40") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_run_is_not_overwritten) {
    temporary_folder folder;
    auto const out = (folder.path / "run").string();
    BOOST_TEST(attnlab_run("train" + small + "--max_iters 10 --out_dir " + out).status == 0);
    auto const before = read_text(out + "/ckpt.safetensors");
    auto const again = attnlab_run("train" + small + "--max_iters 20 --out_dir " + out);
    BOOST_TEST(again.status == 1);
    BOOST_TEST(again.text.find("--resume") != std::string::npos, again.text);
    BOOST_TEST(read_text(out + "/ckpt.safetensors") == before);
}

BOOST_AUTO_TEST_CASE(sigmoid_takes_its_trained_length_when_it_generates) {
    temporary_folder folder;
    auto const out = (folder.path / "run").string();
    BOOST_TEST(attnlab_run("train --policy sigmoid" + small + "--max_iters 20 --out_dir " + out).status == 0);
    auto const trained = attnlab_run("generate --start '0 9 11' --max_new_tokens 12 --temperature 0 " + out);
    BOOST_TEST(trained.status == 0, trained.text);
    BOOST_TEST(trained.text == attnlab_run("generate --start '0 9 11' --max_new_tokens 12 --temperature 0 --length trained " + out).text);
    BOOST_TEST(attnlab_run("evaluate " + out).text.find("T of formulas: trained") != std::string::npos);
    expect_usage_error("generate --start '0 99' " + out, "'99'");
}

BOOST_AUTO_TEST_CASE(a_text_of_characters_generates_characters) {
    temporary_folder folder;
    attnlab::write_atomically(folder.path / "a.txt", [](std::ostream& out) {
        for (int i = 0; i < 300; ++i) out << "the \xC3\xA9t\xC3\xA9 of " << i << "\n";
    });
    auto const out = (folder.path / "run").string();
    auto const r = attnlab_run("train --text " + (folder.path / "a.txt").string() + " --level characters --block_size 16" + small +
                               "--max_iters 20 --out_dir " + out);
    BOOST_TEST(r.status == 0, r.text);
    auto const sample = attnlab_run("generate --start the --max_new_tokens 20 " + out);
    BOOST_TEST(sample.status == 0, sample.text);
    BOOST_TEST(sample.text.starts_with("the"), sample.text);
    auto const bad = attnlab_run("generate --start '#' " + out);
    BOOST_TEST(bad.status == 1);
    BOOST_TEST(bad.text.find("--start") != std::string::npos, bad.text);
}

BOOST_AUTO_TEST_CASE(compress_shows_what_it_costs_and_changes_nothing) {
    temporary_folder folder;
    auto const out = (folder.path / "run").string();
    for (std::string const policy : {"softmax", "context_scale"}) {
        auto const run = out + "-" + policy;
        BOOST_TEST(attnlab_run("train --policy " + policy + small + "--max_iters 20 --out_dir " + run).status == 0);
        auto const before = read_text(run + "/ckpt.safetensors");
        auto const shown = attnlab_run("compress --eval_sequences 8 " + run);
        BOOST_TEST(shown.status == 0, shown.text);
        for (char const* scheme : {"as trained", "W8A8", "W8 ", "W4", "A8", "A4", "prune50", "prune70"})
            BOOST_TEST(shown.text.find(scheme) != std::string::npos, shown.text);
        auto const r = attnlab_run("compress --json --eval_sequences 8 " + run);
        BOOST_TEST(r.status == 0, r.text);
        auto const j = attnlab::parse_json_text(r.text, "compress --json");
        BOOST_TEST(j.at("eval_sequences").get<int>() == 8);
        double const loss = j.at("loss").get<double>();
        std::istringstream evaluated(attnlab_run("evaluate --eval_sequences 8 " + run).text);
        double expected = 0;
        for (std::string word; evaluated >> word;)
            if (word == "loss") evaluated >> expected;
        BOOST_TEST(std::abs(loss - expected) < 1e-4, loss << " is not evaluate's " << expected);
        BOOST_TEST(j.at("compressions").size() == 7u);
        for (auto const& c : j.at("compressions")) {
            BOOST_TEST(c.at("change").get<double>() == c.at("loss").get<double>() - loss);
            BOOST_TEST(c.at("change").get<double>() != 0, c.dump());
        }
        BOOST_TEST(read_text(run + "/ckpt.safetensors") == before);
    }
    expect_usage_error("compress --text /nowhere/a.txt " + out + "-softmax", "backcopy");
}

BOOST_AUTO_TEST_CASE(compress_takes_another_text) {
    temporary_folder folder;
    auto const write = [&](char const* name, char const* words) {
        attnlab::write_atomically(folder.path / name, [&](std::ostream& out) {
            for (int i = 0; i < 300; ++i) out << words << i << "\n";
        });
        return (folder.path / name).string();
    };
    auto const first = write("a.txt", "the sea of "), second = write("b.txt", "of the sea "), strange = write("c.txt", "#! "), out = (folder.path / "run").string();
    BOOST_TEST(attnlab_run("train --text " + first + " --level characters --block_size 16" + small + "--max_iters 20 --out_dir " + out).status == 0);
    auto const own = attnlab_run("compress " + out), other = attnlab_run("compress --text " + second + " " + out);
    BOOST_TEST(own.status == 0, own.text);
    BOOST_TEST(other.status == 0, other.text);
    BOOST_TEST(own.text == attnlab_run("compress --text " + first + " " + out).text);
    BOOST_TEST(own.text != other.text);
    auto const bad = attnlab_run("compress --text " + strange + " " + out);
    BOOST_TEST(bad.status == 1);
    BOOST_TEST(bad.text.find("c.txt") != std::string::npos, bad.text);
    BOOST_TEST(attnlab_run("compress --text /nowhere/a.txt " + out).text.find("/nowhere/a.txt") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(scale_says_what_a_sink_is_worth) {
    temporary_folder folder;
    auto const run = (folder.path / "run").string(), sigmoid = (folder.path / "sigmoid").string();
    BOOST_TEST(attnlab_run("train --policy value_bias" + small + "--max_iters 20 --out_dir " + run).status == 0);
    auto const j = attnlab::parse_json_text(attnlab_run("scale --json --eval_sequences 8 " + run).text, "scale --json");
    BOOST_TEST(j.at("sequences").get<int>() == 8);
    BOOST_TEST(j.at("heads").size() == 2u);
    for (auto const& h : j.at("heads")) BOOST_TEST(h.at("key_error").get<double>() == 0, "every sequence begins with BOS: " << h.dump());
    auto const shown = attnlab_run("scale " + run);
    BOOST_TEST(shown.status == 0, shown.text);
    BOOST_TEST(shown.text.find("excess risk") != std::string::npos, shown.text);
    BOOST_TEST(attnlab_run("train --policy sigmoid" + small + "--max_iters 1 --out_dir " + sigmoid).status == 0);
    auto const refused = attnlab_run("scale " + sigmoid);
    BOOST_TEST(refused.status == 1);
    BOOST_TEST(refused.text.find("do not sum to 1") != std::string::npos, refused.text);
}

// Every sequence begins with BOS, so k', v' are its key and value, and the converted model computes the same.
BOOST_AUTO_TEST_CASE(convert_is_exact_where_all_sequences_begin_alike) {
    temporary_folder folder;
    auto const run = (folder.path / "run").string(), out = (folder.path / "converted").string();
    std::string deep = small;
    deep.replace(deep.find("n_layer 1"), 9, "n_layer 2");
    BOOST_TEST(attnlab_run("train" + deep + "--max_iters 60 --out_dir " + run).status == 0);
    auto const said = attnlab_run("convert " + run + " " + out);
    BOOST_TEST(said.status == 0, said.text);
    BOOST_TEST(said.text.find("differ from them by 0 % and 0 %") != std::string::npos, said.text);
    auto const number_after = [](std::string const& text, std::string const& words) {
        auto const at = text.find(words);
        BOOST_REQUIRE_MESSAGE(at != text.npos, words << " is not in " << text);
        return std::stod(text.substr(at + words.size()));
    };
    BOOST_TEST(number_after(said.text, "largest difference of a logit ") < 1e-4);
    // evaluate takes it; the loss is that of the positions that are left.
    auto const evaluated = attnlab_run("evaluate " + out);
    BOOST_TEST(evaluated.status == 0, evaluated.text);
    BOOST_TEST(evaluated.text.starts_with("attention_bias, step 60, 8 sequences of 31"), evaluated.text);
    BOOST_TEST(std::abs(number_after(evaluated.text, "loss ") - number_after(said.text, "after")) < 1e-3, evaluated.text << said.text);
    // So does generate, and says the same as long as the sequence fits.
    std::string const start = "generate --start '0 9 11' --temperature 0 --max_new_tokens 29 ";
    BOOST_TEST(attnlab_run(start + run).text == attnlab_run(start + out).text);
    BOOST_TEST(attnlab_run("generate --max_new_tokens 3 " + out).status == 0);   // begins as the data do
    expect_usage_error("generate --start 0 " + out, "at least two tokens");
    // And training goes on from it.
    auto const trained = attnlab_run("train --config " + out + "/train.cfg --resume true --max_iters 70");
    BOOST_TEST(trained.status == 0, trained.text);
    BOOST_TEST(attnlab_run("evaluate " + out).text.find("step 70") != std::string::npos);

    auto const before = read_text(out + "/ckpt.safetensors");
    auto const again = attnlab_run("convert " + run + " " + out);
    BOOST_TEST(again.status == 1);
    BOOST_TEST(again.text.find("exists already") != std::string::npos, again.text);
    BOOST_TEST(read_text(out + "/ckpt.safetensors") == before);
    auto const other = attnlab_run("convert " + out + " " + out + "-2");
    BOOST_TEST(other.status == 1);
    BOOST_TEST(other.text.find("expected softmax") != std::string::npos, other.text);
    BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 2);   // nothing half made is left
}

BOOST_AUTO_TEST_CASE(reproduce_writes_its_report_and_goes_on_where_it_was) {
    temporary_folder folder;
    auto const out = (folder.path / "report").string();
    std::string const options = "reproduce --policies softmax,sigmoid --seeds 2 --steps 20 --n_layer 1 --n_embd 16 --n_head 2 --eval_sequences 8 "
                                "--eval_interval 10 --quiet --out " + out;
    auto const first = attnlab_run(options);
    BOOST_TEST(first.status == 0, first.text);
    for (char const* file : {"report.html", "report.md", "results.json", "results.csv", "runs/softmax-1/train.cfg", "runs/sigmoid-2/run.json"})
        BOOST_TEST(std::filesystem::exists(std::filesystem::path(out) / file), file);
    auto const results = read_text(out + "/results.csv");
    BOOST_TEST(results.find("compression.W8A8") != std::string::npos);
    BOOST_TEST(read_text(out + "/report.md").find("What compression costs") != std::string::npos);
    BOOST_TEST(read_text(out + "/report.md").find("Are outliers implicit context-aware scaling factors?") != std::string::npos);
    BOOST_TEST(read_text(out + "/report.md").find("Not asked of (f) sigmoid") != std::string::npos);
    BOOST_TEST(std::filesystem::exists(std::filesystem::path(out) / "figures/scales.pdf"));
    // One run is lost; the others are not trained again, and the numbers come out the same.
    std::filesystem::remove_all(out + "/runs/sigmoid-2");
    auto const kept = std::filesystem::last_write_time(out + "/runs/softmax-1/run.json");
    BOOST_TEST(attnlab_run(options).status == 0);
    BOOST_TEST((std::filesystem::last_write_time(out + "/runs/softmax-1/run.json") == kept));
    auto const without_times = [](std::string text) {
        std::string out_text;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);)
            if (line.find("second") == std::string::npos) out_text += line + "\n";
        return out_text;
    };
    BOOST_TEST((without_times(read_text(out + "/results.csv")) == without_times(results)));
    auto const other = attnlab_run(options + " --learning_rate 0.02");
    BOOST_TEST(other.status == 1);
    BOOST_TEST(other.text.find("another --out") != std::string::npos, other.text);
}

BOOST_AUTO_TEST_SUITE_END()
