// Every folder of fixtures/bad: what case.json expects, within its limits of time and memory.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/io/json.hpp>
#include <attnlab/io/npy.hpp>
#include <attnlab/io/safetensors.hpp>

#include "fixtures.hpp"
#include "support.hpp"

using namespace attnlab;
using attnlab::test::outcome;

BOOST_AUTO_TEST_SUITE(bad_files)

namespace {

/// `attnlab ARGUMENTS` by itself, in so much address space and time.
outcome limited(std::string const& arguments, int megabytes, int seconds) {
    return test::shell(text("export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1; ulimit -v ", megabytes * 1024, "; ulimit -t ", seconds, "; exec ",
                            ATTNLAB_PROGRAM, ' ', arguments));
}

/// What is wrong with how the case went; empty: nothing.
std::string fault(json const& c, outcome const& o) {
    auto const expected = field<std::string>(c, "case.json", "expect");
    if (o.status != (expected == "error" ? 1 : 0)) return text("exit ", o.status, ", expected ", expected);
    auto const lines = std::count(o.text.begin(), o.text.end(), '\n');
    if (expected == "error" && (lines != 1 || !o.text.starts_with("error: "))) return "expected one line of error";
    bool const warned = o.text.find("warning: ") != std::string::npos;
    if (warned != (expected == "warning")) return warned ? "a warning" : "no warning";
    auto const at = o.text.find(expected == "warning" ? "warning: " : "error: ");
    auto const said = at == std::string::npos ? "" : o.text.substr(at);
    for (auto const& name : field<std::vector<std::string>>(c, "case.json", "message_names"))
        if (said.find(name) == std::string::npos) return "expected '" + name + "' to be named";
    return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(give_what_their_case_expects) {
    test::temporary_folder const out;
    auto const root = fixtures() / "bad", dump = out.path / "out.safetensors";
    int found = 0;
    for (auto const& entry : std::filesystem::directory_iterator(root)) {
        auto const folder = entry.path();
        if (!std::filesystem::exists(folder / "case.json")) continue;
        auto const c = parse_json(folder / "case.json");
        auto const limits = field<json>(c, "case.json", "limits");
        int const seconds = field<int>(limits, "case.json", "max_seconds");
        auto const path = text(" '", (folder / field<std::string>(c, "case.json", "path")).string(), "' ");
        std::vector<std::string> commands{text("inspect --vocab ", field_or<int>(c, "case.json", "vocab", 0), path)};
        if (field<std::string>(c, "case.json", "target") == "model")   // and when it is run
            commands.push_back(text("forward", path, "--tokens '", (root / "control_good" / "tokens.npy").string(), "' --dump '", dump.string(), "'"));
        for (auto const& command : commands) {
            auto const start = std::chrono::steady_clock::now();
            auto const o = limited(command, field<int>(limits, "case.json", "max_memory_mb"), seconds);
            std::chrono::duration<double> const time = std::chrono::steady_clock::now() - start;
            auto const wrong = fault(c, o);
            BOOST_TEST(wrong.empty(), command << ": " << wrong << ": " << o.text);
            BOOST_TEST(time.count() < 4 * seconds, command << " took " << time.count() << " s");   // of a machine that does other things too
        }
        if (std::filesystem::exists(folder / "logits.npy")) {
            auto const expected = npy_array(folder / "logits.npy").as<double>();
            std::vector<float> logits(expected.size());
            safetensors_reader(dump).copy_to("logits", std::span(logits));
            double worst = 0;
            for (std::size_t i = 0; i < logits.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(logits[i]) - expected[i]));
            BOOST_TEST(worst < 1e-4);
        }
        ++found;
    }
    BOOST_TEST(found > 0);
}

BOOST_AUTO_TEST_CASE(limits_are_limits) {
    BOOST_TEST(limited("policies", 256, 5).status == 0);
    BOOST_TEST(limited("policies", 8, 5).status != 0);
}

BOOST_AUTO_TEST_SUITE_END()
