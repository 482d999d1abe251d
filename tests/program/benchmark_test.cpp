// Benchmarks as scripts read them: the names, exactly, for they are joined with other programs' figures; never how fast.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/cli/option_value.hpp>

#include "support.hpp"

using attnlab::test::attnlab_run;

BOOST_AUTO_TEST_SUITE(benchmark)

namespace {
struct figure {
    double value;
    std::string unit;
};

// The figures that `attnlab benchmark ARGUMENTS` prints, by name. All other lines must be comments.
std::map<std::string, figure> figures(std::string const& arguments) {
    auto const r = attnlab_run("benchmark " + arguments + " --seconds 0");
    BOOST_TEST(r.status == 0, arguments << ": " << r.text);
    std::map<std::string, figure> out;
    std::istringstream lines(r.text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("#")) continue;
        std::istringstream words(line);
        std::string name, value, unit, more;
        words >> name >> value >> unit;
        auto const number = attnlab::option_type<double>::read(value);
        BOOST_TEST((number && !unit.empty() && !(words >> more)), "expected `name value unit`: " << line);
        BOOST_TEST(!out.contains(name), "twice: " << name);
        out[name] = {number.value_or(0), unit};
    }
    return out;
}

std::set<std::string> names_of(std::map<std::string, figure> const& figures) {
    std::set<std::string> out;
    for (auto const& [name, f] : figures) out.insert(name + " " + f.unit);
    return out;
}

std::set<std::string> attention_names(std::string const& who_and_threads, std::string const& size, bool maps = false) {
    std::set<std::string> out;
    for (std::string const pass : {"fwd", "fwdbwd"}) {
        auto const name = "attention." + who_and_threads + "." + pass + size;
        out.insert({name + ".min ms", name + ".median ms", name + ".rate GFLOP/s"});
        if (maps) out.insert(name + ".gemm ms");
        if (pass == "fwdbwd") out.insert(name + ".peak_rss_over_base MiB");
    }
    return out;
}

void expect_usage_error(std::string const& arguments, std::string const& words) {
    auto const r = attnlab_run("benchmark " + arguments);
    BOOST_TEST(r.status == 2, arguments << ": exit " << r.status << ": " << r.text);
    BOOST_TEST(r.text.find(words) != std::string::npos, arguments << ": expected '" << words << "' in: " << r.text);
    BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, "one line expected: " << r.text);
}
}  // namespace

BOOST_AUTO_TEST_CASE(attention_bears_its_peers_names) {
    auto const found = figures("attention --policies softmax --threads 2 --T 64");
    BOOST_TEST((names_of(found) == attention_names("softmax.t2", ".B1.T64")));
    auto const& least = found.at("attention.softmax.t2.fwdbwd.B1.T64.min").value;
    BOOST_TEST(least > 0);
    BOOST_TEST(least <= found.at("attention.softmax.t2.fwdbwd.B1.T64.median").value);
    // 4 B H T^2 D / 2 for the forward pass and 2.5 times that on the way back.
    BOOST_TEST(found.at("attention.softmax.t2.fwdbwd.B1.T64.rate").value == 3.5 * 4 * 12 * 64 * 64 * 64 / 2 / least * 1e-6,
               boost::test_tools::tolerance(1e-3));
}

BOOST_AUTO_TEST_CASE(attention_takes_lists) {
    auto const found = names_of(figures("attention --policies ca_softmax,softmax1 --threads 1,2 --B 1,2 --T 8,16 --H 2,12 --D 4,64"));
    std::set<std::string> expected;
    for (std::string const t : {"1", "2"})
        for (std::string const size : {".B1.T8", ".B1.T16", ".B2.T8", ".B2.T16"})
            for (std::string const rest : {".H2.D4", ".H2", ".D4", ""}) {
                expected.merge(attention_names("context_scale.t" + t, size + rest, true));   // it learns a map of x
                expected.merge(attention_names("softmax1.t" + t, size + rest));
            }
    BOOST_TEST((found == expected));
    BOOST_TEST((names_of(figures("attention --policies softmax --threads 1 --T 8 --n_kv_head 3")) == attention_names("softmax.t1", ".B1.T8.KV3")));
}

BOOST_AUTO_TEST_CASE(a_mask_is_rated_by_what_it_shows) {
    auto const found = figures("attention --policies full_softmax,sliding_window --threads 1 --T 32 --H 1 --D 8");
    auto const flop = [&](std::string const& policy) {
        auto const name = "attention." + policy + ".t1.fwd.B1.T32.H1.D8";
        return found.at(name + ".rate").value * found.at(name + ".min").value * 1e6;
    };
    BOOST_TEST(flop("full_softmax") == 4. * 8 * 32 * 32, boost::test_tools::tolerance(1e-3));
    BOOST_TEST(flop("sliding_window") == 4. * 8 * (32 * 16 - 16 * 15 / 2), boost::test_tools::tolerance(1e-3));
}

BOOST_AUTO_TEST_CASE(a_step_bears_its_peers_names) {
    std::set<std::string> expected;
    for (std::string const policy : {"softmax", "sigmoid"})
        for (std::string const stat : {"min ms", "median ms", "rate tokens/s", "flops GFLOP/s", "params count", "peak_rss MiB"})
            expected.insert("step.attnlab.demo." + policy + ".t1." + stat);
    auto const found = figures("step --policies softmax,sigmoid --threads 1");
    BOOST_TEST((names_of(found) == expected));
    // 3 layers of 12 C^2 + 13 C, the last norm 2 C and the table V C; biases everywhere.
    BOOST_TEST(found.at("step.attnlab.demo.softmax.t1.params").value == 3 * (12 * 64 * 64 + 13 * 64) + 2 * 64 + 64 * 64);
    BOOST_TEST(found.at("step.attnlab.demo.softmax.t1.peak_rss").value > 1);
}

BOOST_AUTO_TEST_CASE(analysis_is_timed_with_statistics_and_without) {
    std::set<std::string> expected;
    for (std::string const what : {"plain.sigmoid", "statistics.sigmoid"})
        for (std::string const stat : {"min ms", "median ms", "peak_rss MiB"}) expected.insert("analysis." + what + ".t1.fwd.T8." + stat);
    BOOST_TEST((names_of(figures("analysis --policies sigmoid --threads 1 --T 8")) == expected));
}

BOOST_AUTO_TEST_CASE(the_machine_s_limits) {
    auto const found = figures("machine --threads 1");
    BOOST_TEST(found.size() == 12u);
    for (std::string const name : {"peak.read.t1", "peak.triad.t1"}) BOOST_TEST(found.at(name).unit == "GB/s");
    auto const peak = std::find_if(found.begin(), found.end(), [](auto const& f) { return f.first.starts_with("peak.fma"); });
    BOOST_REQUIRE((peak != found.end()));
    BOOST_TEST(peak->first.ends_with(".t1"));
    BOOST_TEST(peak->second.unit == "GFLOP/s");
    for (std::string const pass : {"fwd", "dx", "dw"})
        BOOST_TEST(std::any_of(found.begin(), found.end(),
                               [&](auto const& f) { return f.first.starts_with("gemm.") && f.first.ends_with(".t1." + pass + ".1024x3072x768.rate"); }));
}

BOOST_AUTO_TEST_CASE(wrong_usage_is_one_line_and_exit_2) {
    expect_usage_error("", "WHAT");
    expect_usage_error("nothing", "expected one of attention, step, analysis, machine");
    expect_usage_error("attention --T x", "--T: 'x': expected whole numbers separated by commas");
    expect_usage_error("attention --T 64,0", "--T: '64,0': expected whole numbers");
    expect_usage_error("attention --threads 0", "--threads");
    expect_usage_error("attention --policies softmx", "nearest: softmax");
    expect_usage_error("attention --seconds -1", "--seconds");
    expect_usage_error("attention --policies softmax --n_kv_head 5", "n_kv_head: expected a divisor");
    expect_usage_error("attention --policies value_gate --n_kv_head 3", "n_kv_head");
    expect_usage_error("attention --policies softmax --B 200000 --T 200000", "expected sizes that fit");
    expect_usage_error("attention --sizes demo", "--sizes: no option of benchmark attention, but of benchmark step");
    expect_usage_error("step --sizes large", "expected one of demo, tiny, small, gpt2-124m");
    expect_usage_error("step --T 64", "--T: no option of benchmark step");
    expect_usage_error("machine --policies softmax", "--policies: no option of benchmark machine");
}

BOOST_AUTO_TEST_SUITE_END()
