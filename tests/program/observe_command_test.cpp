// A run observed while it trains, as a user meets it: its files, a run that is killed, one that resumes.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/results_csv.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/observations.hpp>
#include <attnlab/kernels/cpu/gemm.hpp>

#include "support.hpp"

using namespace attnlab;
using attnlab::test::attnlab_run;
using attnlab::test::temporary_folder;

BOOST_AUTO_TEST_SUITE(observe_command)

namespace {
std::string const small = " --n_layer 2 --n_head 2 --n_embd 16 --batch_size 4 --eval_sequences 4 --observe_sequences 4 --eval_interval 100 --quiet ";

double value(std::vector<observation> const& rows, index_t step, std::string const& metric, index_t layer, index_t head) {
    for (auto const& o : rows)
        if (o.step == step && o.metric == metric && o.layer == layer && o.head == head) return o.value;
    BOOST_ERROR("no row " << metric << " of step " << step);
    return std::nan("");
}
/// Whether a row of a product is the same bits whatever rows are beside it. With AVX2, and no newer instructions, oneDNN's are not, and what is streamed and evaluated in other
/// batches is the same to rounding.
bool rows_have_bits_of_their_own() {
    index_t const m = 256, n = 48, k = 16;
    std::vector<float> a(m * k), b(n * k), all(m * n), half(m * n / 2);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(static_cast<float>(i));
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = std::cos(static_cast<float>(i));
    gemm(cpu{}, false, true, m, n, k, 1, a.data(), k, b.data(), k, 0, all.data(), n);
    gemm(cpu{}, false, true, m / 2, n, k, 1, a.data(), k, b.data(), k, 0, half.data(), n);
    return std::equal(half.begin(), half.end(), all.begin());
}
}  // namespace

BOOST_AUTO_TEST_CASE(what_is_streamed_is_what_evaluate_says) {
    temporary_folder folder;
    auto const out = (folder.path / "run").string(), alone = (folder.path / "alone").string();
    auto const r = attnlab_run("train" + small + "--max_iters 50 --observe_interval 20 --observe_format csv,jsonl --out_dir " + out);
    BOOST_TEST(r.status == 0);
    BOOST_TEST(r.text == "");   // --quiet
    auto const rows = read_observations(out + "/observations.csv");
    std::vector<index_t> steps;
    for (auto const& o : rows)
        if (o.metric == "loss") steps.push_back(o.step);
    BOOST_TEST(steps == (std::vector<index_t>{0, 20, 40, 50}), boost::test_tools::per_element());
    BOOST_TEST(read_observations(out + "/observations.jsonl").size() == rows.size());

    int compared = 0;
    bool const exact = rows_have_bits_of_their_own();
    auto const evaluated = attnlab_run("evaluate --json --length sequence " + out).text;
    for (auto const& j : parse_json_text(evaluated, "evaluate --json")) {
        auto const metric = j.at("metric").get<std::string>();
        auto const layer = j.at("layer").get<index_t>(), head = j.at("head").get<index_t>();
        if (!metric.starts_with("resid_post.") && !(metric == "value_ratio" && head >= 0)) continue;
        double const streamed = value(rows, 50, metric, layer, head), said = j.at("value").get<double>();
        if (exact) BOOST_TEST(streamed == said, metric);
        else BOOST_TEST(std::abs(streamed - said) <= 1e-7 * std::abs(said), metric << ": " << streamed << ", expected " << said);
        ++compared;
    }
    BOOST_TEST(compared == 2 * 11 + 4);
    auto const sinks = read_results_csv(out + "/results.csv").filter({.metric = "steps_to_sink", .step = 50});
    BOOST_TEST(sinks.size() == 4U);

    BOOST_TEST(attnlab_run("train" + small + "--max_iters 50 --observe_interval 0 --out_dir " + alone).status == 0);
    BOOST_TEST(!std::filesystem::exists(alone + "/observations.csv"));
    BOOST_TEST(attnlab_run("evaluate " + alone).text == attnlab_run("evaluate " + out).text);
}

BOOST_AUTO_TEST_CASE(a_run_killed_while_it_writes_loses_one_look_and_resumes_to_the_same_file) {
    temporary_folder folder;
    auto const whole_run = (folder.path / "whole").string(), parts = (folder.path / "parts").string();
    std::string const train = "train" + small + "--max_iters 1000 --observe_interval 7 --out_dir ";
    BOOST_TEST(attnlab_run(train + whole_run).status == 0);
    // The system kills it (SIGXFSZ) in the middle of the row that passes 200 KiB; checkpoints and tables are smaller.
    std::string const limited = "ulimit -c 0; ulimit -f 400; exec " ATTNLAB_PROGRAM " " + train + parts + " 2>&1";
    int const status = std::system(limited.c_str());
    BOOST_TEST((WIFSIGNALED(status) || WEXITSTATUS(status) > 128));
    auto const left = read_text(parts + "/observations.csv"), expected = read_text(whole_run + "/observations.csv");
    BOOST_TEST(left.size() == 400U * 512);
    BOOST_TEST((left == expected.substr(0, left.size())));
    BOOST_TEST(!read_observations(parts + "/observations.csv").empty());
    BOOST_TEST(attnlab_run(train + parts + " --resume").status == 0);
    BOOST_TEST((read_text(parts + "/observations.csv") == expected));
    for (auto const* metric : {"sink_share", "residual_peak", "steps_to_sink"})
        BOOST_TEST(read_results_csv(parts + "/results.csv").filter({.metric = metric}).size() ==
                   read_results_csv(whole_run + "/results.csv").filter({.metric = metric}).size());
}

BOOST_AUTO_TEST_CASE(wrong_usage_is_one_line) {
    for (auto const& [arguments, words] : {std::pair{"--observe_interval -1", "0 or more"}, {"--observe_format xml", "csv, jsonl"}}) {
        auto const r = attnlab_run(std::string("train ") + arguments);
        BOOST_TEST(r.status == 2, r.text);
        BOOST_TEST(r.text.find(words) != std::string::npos, r.text);
    }
}

BOOST_AUTO_TEST_SUITE_END()
