// The life of a run: one program a folder, a run that goes on as what it was, data that are named, what is said of its loss.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/data/token_file.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/folder_lock.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>

#include "fixtures.hpp"
#include "support.hpp"

using namespace attnlab;
using namespace attnlab::test;

BOOST_AUTO_TEST_SUITE(runs)

namespace {

std::string const small = " --n_layer 1 --n_head 2 --n_embd 16 --batch_size 4 --eval_sequences 8 --eval_interval 10 ";

void refused(std::string const& arguments, int status, std::vector<std::string> const& words) {
    auto const r = attnlab_run(arguments);
    BOOST_TEST(r.status == status, arguments << ": exit " << r.status << ": " << r.text);
    for (auto const& w : words) BOOST_TEST(r.text.find(w) != std::string::npos, arguments << ": expected '" << w << "' in: " << r.text);
    BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, "one line expected: " << r.text);
}

/// Every file of a folder with its bytes.
std::map<std::string, std::string> contents(std::filesystem::path const& folder) {
    std::map<std::string, std::string> out;
    for (auto const& entry : std::filesystem::directory_iterator(folder)) out[entry.path().filename().string()] = read_text(entry.path());
    return out;
}

std::string step_of(std::filesystem::path const& checkpoint) { return safetensors_reader(checkpoint).metadata().at("iteration"); }

/// `train ARGUMENTS --out_dir RUN`, sent SIGINT once the file is there.
outcome interrupted_run(std::string const& arguments, std::filesystem::path const& run, std::filesystem::path const& file) {
    return shell("export OMP_NUM_THREADS=1; " ATTNLAB_PROGRAM " train" + arguments + " --out_dir \"" + run.string() + "\" & p=$!; i=0; while [ ! -e \"" + file.string() +
                 "\" ] && [ $i -lt 500 ]; do sleep 0.1; i=$((i + 1)); done; sleep 0.3; kill -INT $p; wait $p");
}

std::string write_words(std::filesystem::path const& path) {
    write_atomically(path, [](std::ostream& out) {
        for (int i = 0; i < 300; ++i) out << "the sea of " << i << "\n";
    });
    return path.string();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_folder_is_written_by_one_program_at_a_time) {
    temporary_folder folder;
    auto const run = folder.path / "run", report = folder.path / "report";
    {
        folder_lock const train(run), reproduce(report);   // as of another program
        refused("train" + small + "--max_iters 10 --out_dir " + run.string(), 1, {run.string(), "another attnlab"});
        refused("reproduce --policies softmax --seeds 1 --steps 10" + small + "--out " + report.string(), 1, {report.string(), "another attnlab"});
        BOOST_TEST(contents(run).size() == 1u);   // .lock
    }
    // Nothing of it is left: a program that was killed locks nobody out.
    BOOST_TEST(attnlab_run("train" + small + "--max_iters 10 --out_dir " + run.string()).status == 0);
    auto const both = shell("export OMP_NUM_THREADS=1; t() { " ATTNLAB_PROGRAM " train" + small + "--quiet --max_iters 300 --seed $1 --out_dir " + (folder.path / "two").string() +
                            "; echo rc $?; }; t 1 & t 2 & wait");
    BOOST_TEST(both.text.find("rc 0") != std::string::npos, both.text);
    BOOST_TEST(both.text.find("rc 1") != std::string::npos, both.text);
    refused("reproduce --policies softmax,sigmoid,softmax --out " + (folder.path / "never").string(), 2, {"softmax is named twice"});
    refused("benchmark step --policies ca_softmax,context_scale --seconds 0", 2, {"is named twice"});
    BOOST_TEST(!std::filesystem::exists(folder.path / "never"));
}

BOOST_AUTO_TEST_CASE(a_run_goes_on_as_what_it_was) {
    temporary_folder folder;
    auto const whole = folder.path / "whole", run = folder.path / "run", moved = folder.path / "moved";
    std::string const what = " --preset smoke --policy ca_softmax --seed 3 --matrix_seed 5" + small + "--lr_decay_iters 40 --warmup_iters 5 ";
    BOOST_TEST(attnlab_run("train" + what + "--max_iters 40 --out_dir " + whole.string()).status == 0);
    BOOST_TEST(attnlab_run("train" + what + "--max_iters 20 --out_dir " + run.string()).status == 0);
    auto const before = contents(run);
    std::map<std::string, std::string> const others{{"policy", "sigmoid"}, {"seed", "4"}, {"matrix_seed", "1"}, {"triggers", "4"}, {"n_embd", "32"}, {"batch_size", "8"},
                                                    {"optim_name", "gdm"}, {"preset", "default"}, {"vocab_size", "32"}, {"text", "a.txt"}, {"task", "tokens"}};
    for (auto const& [name, other] : others)
        refused("train --resume --max_iters 40 --" + name + " " + other + " --out_dir " + run.string(), 2, {"--" + name + ": '" + other + "': expected ", (run / "ckpt.safetensors").string()});
    for (auto const* more : {"", "--max_iters 20", "--max_iters 5", "--policy ca_softmax --eval_interval 3"}) {   // an alias is the same policy
        auto const r = attnlab_run("train --resume " + std::string(more) + " --out_dir " + run.string());
        BOOST_TEST(r.status == 0, r.text);
        BOOST_TEST(r.text.find("20 steps are done") != std::string::npos, r.text);
        BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, r.text);
    }
    BOOST_TEST((contents(run) == before), "nothing to train, no file changed");
    std::filesystem::rename(run, moved);
    auto const on = attnlab_run("train --resume --max_iters 40 --out_dir " + moved.string());
    BOOST_TEST(on.status == 0, on.text);
    BOOST_TEST(on.text.find("goes on from step 20 with max_iters 40 (was 20)") != std::string::npos, on.text);
    BOOST_TEST(attnlab_run("evaluate " + moved.string()).text == attnlab_run("evaluate " + whole.string()).text);
    // Of the two files a run may leave, the one further along.
    auto const early = folder.path / "early";
    BOOST_TEST(attnlab_run("train" + what + "--max_iters 10 --out_dir " + early.string()).status == 0);
    auto const usual = moved / "ckpt.safetensors", interrupted = moved / "ckpt.interrupted.safetensors";
    auto const goes_on = [&] { return attnlab_run("train --resume --max_iters 50 --measure false --out_dir " + moved.string()).text; };
    std::filesystem::copy(early / "ckpt.safetensors", interrupted);
    BOOST_TEST(goes_on().starts_with(usual.string() + ": goes on from step 40"));
    std::filesystem::rename(usual, interrupted);
    std::filesystem::rename(early / "ckpt.safetensors", usual);
    BOOST_TEST(goes_on().starts_with(moved.string() + ": 50 steps are done"));
    refused("train --resume --out_dir " + run.string(), 1, {(run / "ckpt.safetensors").string()});
}

BOOST_AUTO_TEST_CASE(a_text_that_was_moved_is_the_same_text) {
    temporary_folder folder;
    auto const first = write_words(folder.path / "a.txt"), other = write_words(folder.path / "b.txt"), run = (folder.path / "run").string();
    BOOST_TEST(attnlab_run("train --level characters --text " + first + small + "--block_size 16 --max_iters 10 --out_dir " + run).status == 0);
    refused("train --resume --max_iters 20 --text " + other + " --out_dir " + run, 2, {"--text: '" + other + "'", first});
    std::filesystem::remove(other);
    std::filesystem::rename(first, other);
    auto const on = attnlab_run("train --resume --max_iters 20 --text " + other + " --out_dir " + run);
    BOOST_TEST(on.status == 0, on.text);
    BOOST_TEST(step_of(folder.path / "run" / "ckpt.safetensors") == "20");
}

// Each run of `reproduce` is resumed with all its options, of a text with its own number of tokens too.
BOOST_AUTO_TEST_CASE(a_text_is_reproduced_where_it_stopped) {
    temporary_folder folder;
    auto const out = folder.path / "report", run = out / "runs" / "softmax-1";
    std::string const what = "reproduce --policies softmax --level characters --text " + write_words(folder.path / "a.txt") + small + "--block_size 16 --steps 20 --quiet --out " + out.string();
    auto const first = attnlab_run(what);
    BOOST_TEST_REQUIRE(first.status == 0, first.text);
    auto const checkpoint = read_text(run / "ckpt.safetensors");
    std::filesystem::remove(run / "run.json");
    auto const again = attnlab_run(what);
    BOOST_TEST(again.status == 0, again.text);
    BOOST_TEST(std::filesystem::exists(run / "run.json"));
}

BOOST_AUTO_TEST_CASE(the_line_of_an_interrupted_run_goes_on) {
    temporary_folder folder;
    auto const run = folder.path / "a run's", usual = run / "ckpt.safetensors", interrupted = run / "ckpt.interrupted.safetensors";
    // The best loss is that of the first evaluation: the rate is too high for another.
    auto const r = interrupted_run(small + "--quiet --measure false --eval_iters 2 --always_save_checkpoint false --learning_rate 0 --min_lr 0 --max_iters 1000000", run, run / "results.csv");
    BOOST_TEST(r.status == 130, r.text);
    std::string const line = "to go on: attnlab ";
    auto const at = r.text.find(line);
    BOOST_TEST_REQUIRE(at != std::string::npos, r.text);
    auto command = r.text.substr(at + line.size());
    command.erase(command.find('\n'));
    BOOST_TEST_REQUIRE(std::filesystem::exists(interrupted), r.text);
    auto const step = std::stoll(step_of(interrupted));
    auto const best = safetensors_reader(interrupted).metadata().at("best_val_loss");
    refused("train" + small + "--out_dir \"" + run.string() + "\"", 1, {"holds a run already"});
    auto const on = attnlab_run(command + " --quiet --max_iters " + std::to_string(step + 3));
    BOOST_TEST(on.status == 0, on.text);
    BOOST_TEST(parse_json(run / "run.json").at("iterations").get<long long>() == step + 3);
    // No later loss is better than the best, which is not forgotten, so nothing was saved over it.
    BOOST_TEST(safetensors_reader(std::filesystem::exists(usual) ? usual : interrupted).metadata().at("best_val_loss") == best);
    BOOST_TEST(attnlab_run(command + " --max_iters " + std::to_string(step + 3)).text.starts_with(run.string() + ": " + std::to_string(step + 3) + " steps are done"));
    auto const more = attnlab_run(command + " --max_iters " + std::to_string(step + 5));
    BOOST_TEST(more.text.find("a run's/ckpt.interrupted.safetensors: goes on from step " + std::to_string(step)) != std::string::npos, more.text);
}

BOOST_AUTO_TEST_CASE(data_that_are_named_are_trained_on) {
    temporary_folder folder;
    std::vector<token> tokens;
    for (int i = 0; i < 4000; ++i) tokens.push_back(static_cast<token>((i * i + 7 * i) % 60));
    save_bin(folder.path / "train.bin", tokens), save_bin(folder.path / "val.bin", tokens);
    auto const bins = folder.path.string(), words = write_words(folder.path / "a.txt"), never = " --out_dir " + (folder.path / "never").string();
    auto const llama = (fixtures() / "llm" / "llama2" / "model").string();
    auto const task_of = [](std::filesystem::path const& run) { return parse_json(run / "run.json").at("options").at("task").get<std::string>(); };
    auto const train = [&](std::string const& arguments, std::string const& name) {
        auto const r = attnlab_run("train " + arguments + " --max_iters 10 --progress none --out_dir " + (folder.path / name).string());
        BOOST_TEST_REQUIRE(r.status == 0, r.text);
        return task_of(folder.path / name);
    };
    BOOST_TEST(train("--data_dir " + bins + small, "bins") == "tokens");
    BOOST_TEST(train("--text " + words + small + "--block_size 16 --vocab_size 257", "words") == "text");
    // A larger vocabulary is padded: the tokens beyond the text's are learned not to come, are written nowhere, and stay when others go on.
    auto const padded = (folder.path / "padded").string();
    BOOST_TEST(train("--text " + words + small + "--block_size 16 --vocab_size 264", "padded") == "text");
    BOOST_TEST(attnlab_run("evaluate " + padded + " --eval_sequences 8").status == 0);
    auto const resumed = attnlab_run("train --resume --max_iters 20 --progress none --out_dir " + padded);
    BOOST_TEST(resumed.status == 0, resumed.text);
    auto const written = attnlab_run("generate " + padded + " --max_new_tokens 200 --temperature 9");
    BOOST_TEST(written.status == 0, written.text);
    BOOST_TEST(train("--init_from " + padded + " --policy sigmoid --eval_sequences 8 --eval_interval 10", "padded_again") == "text");
    BOOST_TEST(parse_json(folder.path / "padded_again" / "run.json").at("options").at("vocab_size") == 264);
    BOOST_TEST(train("--init_from " + (folder.path / "words").string() + " --policy sigmoid --eval_sequences 8 --eval_interval 10", "again") == "text");

    // Characters stay the tokens that they were: fewer of them are no smaller vocabulary, and others are refused.
    auto const chars = (folder.path / "chars").string(), few = (folder.path / "few.txt").string(), others = (folder.path / "others.txt").string();
    std::ofstream(few) << std::string(400, 's'), std::ofstream(others) << std::string(400, '%');
    auto const code_points = [&](char const* run) { return parse_json(folder.path / run / "run.json").at("options").at("code_points"); };
    BOOST_TEST(train("--text " + words + small + "--block_size 16 --level characters", "chars") == "text");
    BOOST_TEST(train("--init_from " + chars + " --text " + few + " --eval_sequences 8 --eval_interval 10", "few") == "text");
    BOOST_TEST((code_points("few") == code_points("chars")));
    refused("train --init_from " + chars + " --text " + others + never, 1, {"others.txt", "U+0025"});
    refused("train --init_from " + chars + " --level bytes" + never, 2, {"--level: bytes: expected characters"});

    refused("train --init_from " + llama + never, 2, {"--init_from", "--text FILE, --data_dir FOLDER"});
    refused("train --tokenizer " + llama + never, 2, {"--tokenizer", "--task text", "backcopy"});
    refused("train --level characters" + never, 2, {"--level", "--task text", "backcopy"});
    refused("train --task backcopy --text " + words + never, 2, {"--text", "--task"});
    refused("train --text " + words + " --data_dir " + bins + never, 2, {"--data_dir", "--text"});
    refused("train --text " + words + " --vocab_size 70" + never, 2, {"--vocab_size: 70: expected 257 or more"});
    refused("train --text " + words + " --triggers 9" + never, 2, {"--triggers", "--text"});
    refused("reproduce --data_dir " + bins + " --matrix_seed 9 --out " + (folder.path / "never").string(), 2, {"--matrix_seed", "--data_dir"});
    BOOST_TEST(!std::filesystem::exists(folder.path / "never"));
}

BOOST_AUTO_TEST_CASE(an_evaluation_is_told) {
    temporary_folder folder;
    auto const run = (folder.path / "run").string();
    auto const said = [](std::string const& arguments) {
        auto const r = shell(ATTNLAB_PROGRAM " train" + arguments + " 2>/dev/null");
        BOOST_TEST(r.status == 0, r.text);
        return r.text;
    };
    for (std::string const how : {"line", "lines", "none"})
        BOOST_TEST(said(small + "--max_iters 10 --progress " + how + " --out_dir " + run + "-" + how).find("\nstep 10: evaluation loss ") != std::string::npos);
    BOOST_TEST(said(small + "--max_iters 10 --quiet --out_dir " + run) == "");
    // The one before the first step and the last, as `evaluate` finds it; nothing is written.
    auto const before = contents(run);
    auto const only = said(" --resume --eval_only --quiet --out_dir " + run);
    auto const evaluated = attnlab_run("evaluate " + run).text;
    BOOST_TEST(only.starts_with("step 10: evaluation loss "), only);
    BOOST_TEST(std::abs(std::stod(only.substr(25)) - std::stod(evaluated.substr(evaluated.find("loss ") + 5))) < 1e-3, only << evaluated);
    BOOST_TEST((contents(run) == before));
    BOOST_TEST(said(small + "--eval_only --out_dir " + run + "-never").starts_with("step 0: evaluation loss "));
    BOOST_TEST(!std::filesystem::exists(run + "-never"));
    refused("train --eval_only --measure false", 2, {"--eval_only"});
    // The last line of progress says whose loss it has.
    auto const both = attnlab_run("train" + small + "--max_iters 10 --out_dir " + run + "-both");
    BOOST_TEST(both.text.find("/s  evaluation loss ") != std::string::npos, both.text);
    auto const training = attnlab_run("train" + small + "--measure false --max_iters 10 --out_dir " + run + "-training");
    BOOST_TEST(training.text.find("/s  training loss ") != std::string::npos, training.text);
    // A best loss is one that was estimated.
    BOOST_TEST(attnlab_run("inspect " + run).text.find("best_loss") == std::string::npos);
    BOOST_TEST(said(small + "--eval_iters 2 --max_iters 10 --out_dir " + run + "-estimated").find(", val loss ") != std::string::npos);
    BOOST_TEST(attnlab_run("inspect " + run + "-estimated").text.find("best_loss  ") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
