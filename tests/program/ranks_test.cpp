// `mpirun -n 2 attnlab train`: what it trains is what one process trains; what is refused; a rank that is lost.
#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>

#include "support.hpp"

using namespace attnlab;
using namespace attnlab::test;

BOOST_AUTO_TEST_SUITE(program_ranks)

namespace {

/// Whether there is an mpirun, and the program knows MPI. Says so where not.
bool can_run() {
    bool const there = shell("command -v mpirun").status == 0;
    if (!there) BOOST_TEST_MESSAGE("skipped: no mpirun (Debian: openmpi-bin)");
    return there;
}

/// One thread a rank, as tests may run beside each other; in CI they run as root.
std::string mpirun(int ranks) {
    return "OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_rmaps_base_oversubscribe=1 timeout 120 mpirun -n " + std::to_string(ranks) + " ";
}
outcome ranks_run(int ranks, std::string const& arguments) { return shell(mpirun(ranks) + ATTNLAB_PROGRAM + " " + arguments); }

/// Momentum, which does not magnify rounding as Adam does where gradients are nothing else. Two buckets and more a step.
std::string const small = "train --n_layer 2 --n_head 2 --n_embd 16 --batch_size 4 --gradient_accumulation_steps 4 --optim_name gdm --learning_rate 0.1 --eval_sequences 8 "
                          "--eval_interval 10 --observe_interval 10 --progress none --bucket_mb 0.01 ";

std::vector<float> values_in(std::filesystem::path const& run) {
    safetensors_reader const file(run / "ckpt.safetensors");
    std::vector<float> out;
    for (auto const& t : file.tensors()) {
        auto const at = out.size();
        out.resize(at + static_cast<std::size_t>(t.size()));
        t.read(out.data() + at, 0, t.size());
    }
    return out;
}

/// What was measured when and where, without times and values.
std::vector<std::string> rows_of(std::filesystem::path const& table) {
    std::istringstream in(read_text(table));
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);)
        if (line.find("second") == line.npos) out.push_back(line.substr(0, line.find_first_of("0123456789-", line.find_first_of("abcdefghijklmnopqrstuvwxyz", 8))));
    return out;
}

}  // namespace

// Sums of float in another order: after n steps on values of about 1 that is n times an ulp at the worst, and less as errors cancel.
BOOST_AUTO_TEST_CASE(ranks_train_what_one_process_trains) {
    if (!can_run()) return;
    temporary_folder folder;
    auto const one = folder.path / "one", two = folder.path / "two", again = folder.path / "again", parts = folder.path / "parts";
    auto const alone = attnlab_run(small + "--max_iters 40 --out_dir " + one.string());
    BOOST_TEST_REQUIRE(alone.status == 0, alone.text);
    auto const together = ranks_run(2, small + "--max_iters 40 --out_dir " + two.string());
    BOOST_TEST_REQUIRE(together.status == 0, together.text);
    BOOST_TEST(together.text == "2 ranks, gradients by MPI\n" + alone.text);   // said once
    auto const ranks = parse_json(two / "run.json").at("ranks");
    BOOST_TEST(ranks.at("number").get<int>() == 2);
    BOOST_TEST(ranks.at("gradients_by").get<std::string>() == "MPI");
    BOOST_TEST(ranks_run(2, small + "--max_iters 40 --out_dir " + again.string()).status == 0);
    BOOST_TEST((values_in(again) == values_in(two)), "the same bits whenever two ranks train");

    // Begun by 2, gone on with by 4 (which cut nothing: 4 micro-batches) and by 3 (which do not divide 4 sequences), by 1.
    BOOST_TEST(ranks_run(2, small + "--max_iters 20 --lr_decay_iters 1500 --out_dir " + parts.string()).status == 0);
    auto const refused = ranks_run(3, small + "--max_iters 30 --lr_decay_iters 1500 --resume true --out_dir " + parts.string());
    BOOST_TEST(refused.status == 2, refused.text);
    BOOST_TEST(ranks_run(4, small + "--max_iters 30 --lr_decay_iters 1500 --resume true --out_dir " + parts.string()).status == 0);
    BOOST_TEST(attnlab_run(small + "--max_iters 40 --lr_decay_iters 1500 --resume true --out_dir " + parts.string()).status == 0);

    auto const expected = values_in(one);
    for (auto const& run : {two, parts}) {
        auto const found = values_in(run);
        BOOST_TEST_REQUIRE(found.size() == expected.size());
        double largest = 0;
        for (std::size_t i = 0; i < found.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(found[i] - expected[i])));
        BOOST_TEST(largest < 40 * 1.2e-7, run.string() << ": " << largest);
        BOOST_TEST(rows_of(run / "observations.csv") == rows_of(one / "observations.csv"), boost::test_tools::per_element());
    }
    BOOST_TEST(rows_of(two / "results.csv") == rows_of(one / "results.csv"), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_ranks_cannot_do_is_said_once) {
    if (!can_run()) return;
    temporary_folder folder;
    auto const run = (folder.path / "run").string();
    auto const said = [](outcome const& r, int status, std::string const& words) {
        BOOST_TEST(r.status == status, r.text);
        auto const at = r.text.find(words);
        BOOST_TEST(at != std::string::npos, "expected '" << words << "' in: " << r.text);
        BOOST_TEST(r.text.find("error: ") == r.text.rfind("error: "), r.text);
    };
    said(ranks_run(3, "train --batch_size 4 --out_dir " + run), 2, "gradient_accumulation_steps: '1': expected a multiple of 3");
    said(ranks_run(2, "train --learnign_rate 1"), 2, "nearest: learning_rate");
    BOOST_TEST(!std::filesystem::exists(run));
    BOOST_TEST(attnlab_run(small + "--max_iters 10 --out_dir " + run).status == 0);
    said(ranks_run(2, small + "--max_iters 20 --out_dir " + run), 1, "holds a run already");
    auto const beside = shell(mpirun(1) + ATTNLAB_PROGRAM + " " + small + "--out_dir " + run + "-a : -n 1 " + ATTNLAB_PROGRAM + " " + small + "--seed 2 --out_dir " + run + "-b");
    BOOST_TEST(beside.status != 0);
    BOOST_TEST(beside.text.find("rank 1: error: train: the options are not those of rank 0") != std::string::npos, beside.text);
    auto const evaluated = ranks_run(2, "evaluate " + run);
    BOOST_TEST(evaluated.status == 0);
    BOOST_TEST(evaluated.text.find("evaluate: of 2 ranks the first runs it alone\n") != std::string::npos, evaluated.text);
    auto const loss = evaluated.text.find("loss ");
    BOOST_TEST(loss != std::string::npos);
    BOOST_TEST(evaluated.text.find("\nloss ", loss) == std::string::npos, evaluated.text);
    // Ranks of another MPI's mpirun are all alone: each would train the whole.
    auto const strange = shell("PMI_RANK=0 PMI_SIZE=2 " ATTNLAB_PROGRAM " " + small + "--max_iters 1 --out_dir " + run + "-2");
    BOOST_TEST(strange.status != 0);
    BOOST_TEST(strange.text.find("2 ") != std::string::npos, strange.text);
}

// As on machines that share no disk: the others stand in folders of their own.
BOOST_AUTO_TEST_CASE(only_the_first_rank_needs_the_run) {
    if (!can_run()) return;
    temporary_folder folder;
    auto const here = (folder.path / "rank").string(), in_its_own = mpirun(2) + "sh -c 'mkdir -p " + here + "$OMPI_COMM_WORLD_RANK; cd " + here + "$OMPI_COMM_WORLD_RANK; exec " + ATTNLAB_PROGRAM + " ";
    auto const began = shell(in_its_own + small + "--policy sigmoid --max_iters 10 --out_dir run'");
    BOOST_TEST_REQUIRE(began.status == 0, began.text);
    auto const on = shell(in_its_own + "train --resume --progress none --max_iters 20 --out_dir run'");
    BOOST_TEST(on.status == 0, on.text);
    BOOST_TEST(on.text.find("step 20: evaluation loss ") != std::string::npos, on.text);
    auto const done = shell(in_its_own + "train --resume --out_dir run'");
    BOOST_TEST(done.status == 0, done.text);
    BOOST_TEST(done.text.find("nothing is left") != std::string::npos, done.text);
    BOOST_TEST(std::filesystem::exists(here + "0/run/run.json"));
    BOOST_TEST(!std::filesystem::exists(here + "1/run"));
}

BOOST_AUTO_TEST_CASE(a_lost_rank_ends_the_run_which_can_go_on) {
    if (!can_run()) return;
    for (int const lost : {0, 1}) {
        temporary_folder folder;
        auto const run = folder.path / "run";
        auto const train = small + "--lr_decay_iters 1500 --out_dir " + run.string();
        auto const pid = (folder.path / "pid.").string();
        // Each rank notes its process; one is killed once there is a checkpoint.
        auto const r = shell("( i=0; while [ ! -e " + (run / "ckpt.safetensors").string() + " ] && [ $i -lt 500 ]; do sleep 0.1; i=$((i + 1)); done; kill -KILL $(cat " + pid + std::to_string(lost) +
                             ") ) & " + mpirun(2) + "sh -c 'echo $$ > " + pid + "$OMPI_COMM_WORLD_RANK; exec " + ATTNLAB_PROGRAM + " " + train + " --max_iters 1000000'");
        BOOST_TEST(r.status != 0);
        auto const line = text("error: rank ", lost, " was lost after ");
        auto const at = r.text.find(line);
        BOOST_TEST_REQUIRE(at != std::string::npos, r.text);
        BOOST_TEST(r.text.find(line, at + 1) == std::string::npos, r.text);
        BOOST_TEST(r.text.find("resume from " + (run / "ckpt.safetensors").string(), at) != std::string::npos, r.text);
        auto const step = [&] { return std::stol(safetensors_reader(run / "ckpt.safetensors").metadata().at("iteration")); };
        auto const before = step();
        BOOST_TEST(before % 10 == 0);
        BOOST_TEST(ranks_run(2, train + " --resume true --max_iters " + std::to_string(before + 10)).status == 0);
        BOOST_TEST(step() == before + 10);
    }
}

// mpirun passes SIGUSR1 on; of SIGINT and SIGTERM it makes SIGTERM, and a second later SIGKILL.
BOOST_AUTO_TEST_CASE(a_signal_to_mpirun_ends_all_ranks_in_order) {
    if (!can_run()) return;
    for (std::string const signal : {"USR1", "TERM"}) {
        temporary_folder folder;
        auto const run = folder.path / "run";
        auto command = mpirun(2);
        command.insert(0, "OMPI_MCA_odls_base_sigkill_timeout=2 ");
        command.insert(command.find("mpirun"), "--foreground sh -c 'echo $$ > " + (folder.path / "pid").string() + "; exec \"$@\"' sh ");
        command.replace(command.find("timeout 120 --foreground"), 24, "timeout --foreground 120");
        auto const r = shell("( i=0; while [ ! -e " + (run / "ckpt.safetensors").string() + " ] && [ $i -lt 500 ]; do sleep 0.1; i=$((i + 1)); done; kill -" + signal + " $(cat " +
                             (folder.path / "pid").string() + ") ) & " + command + ATTNLAB_PROGRAM + " " + small + "--max_iters 1000000 --out_dir " + run.string());
        BOOST_TEST(r.status != 0);
        auto const line = "stopped by SIG" + signal + " after ";
        auto const at = r.text.find(line);
        BOOST_TEST_REQUIRE(at != std::string::npos, r.text);
        BOOST_TEST(r.text.find(line, at + 1) == std::string::npos, r.text);
        auto const steps = r.text.substr(at + line.size(), r.text.find(' ', at + line.size()) - at - line.size());
        BOOST_TEST(safetensors_reader(run / "ckpt.safetensors").metadata().at("iteration") == steps);
    }
}

BOOST_AUTO_TEST_SUITE_END()
