#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/report.hpp>

#include "synthetic.hpp"

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(report)

namespace {
struct scratch {
    std::filesystem::path folder = std::filesystem::temp_directory_path() / ("attnlab-report-" + std::to_string(::getpid()));
    ~scratch() { std::filesystem::remove_all(folder); }
    std::string read(char const* name) const { return lab::read_text(folder / name); }
};
bool has(std::string const& page, std::string const& part) { return page.find(part) != std::string::npos; }

std::vector<lab::sample> samples(lab::manifest const& m) {
    std::vector<lab::sample> out;
    for (auto const& p : m.policies) out.push_back(synthetic::maps(p, 1));
    return out;
}
}  // namespace

BOOST_AUTO_TEST_CASE(the_whole_report) {
    scratch const s;
    auto const m = synthetic::plan();
    lab::write_report(s.folder, m, synthetic::runs(m), samples(m));
    for (auto const* name : {"results.json", "results.csv", "report.html", "report.md", "figures/loss.svg", "figures/loss.pdf", "figures/sinks.svg",
                             "figures/drain.svg", "figures/magnitudes.svg", "figures/kurtosis.svg", "figures/attention.svg", "figures/attention_head.svg"})
        BOOST_TEST(std::filesystem::exists(s.folder / name), name);
    auto const html = s.read("report.html"), markdown = s.read("report.md");
    for (auto const& page : {html, markdown}) {
        BOOST_TEST(has(page, "Six attention policies, side by side"));
        BOOST_TEST(has(page, "none passes 50 times"));
        BOOST_TEST(has(page, "T = 32, the training length"));
        BOOST_TEST(has(page, "a made-up CPU"));
        BOOST_TEST(!has(page, "Missing:"));
    }
    BOOST_TEST(has(html, "attnlab reproduce --out &lt;runs&gt; &amp; co"));  // as typed, and not as a tag
    for (auto const* name : {"loss", "sinks", "drain", "magnitudes", "kurtosis", "attention", "attention_head"})
        BOOST_TEST(has(markdown, "figures/" + std::string(name) + ".svg"), name);
    BOOST_TEST(!has(html, "http-equiv"));
    BOOST_TEST(!has(html, "<script"));
    BOOST_TEST(!has(html, "src=\"http"));
}

BOOST_AUTO_TEST_CASE(with_runs_missing_and_no_sample) {
    scratch const s;
    auto const m = synthetic::plan();
    lab::results rows;
    for (auto const& r : synthetic::runs(m))
        if (r.policy != "sigmoid" && !(r.policy == "softmax" && r.seed == 3)) rows.add(r);
    lab::write_report(s.folder, m, rows, {});
    auto const markdown = s.read("report.md");
    BOOST_TEST(has(markdown, "Missing: softmax seed 3: no run; sigmoid seed 1: no run"));
    BOOST_TEST(has(markdown, "No run of it is there."));
    BOOST_TEST(!has(markdown, "Attention maps"));
    BOOST_TEST(!std::filesystem::exists(s.folder / "figures/attention.svg"));
}

BOOST_AUTO_TEST_CASE(on_text_with_a_policy_of_ones_own) {
    scratch const s;
    auto m = synthetic::plan("book.txt");
    m.policies = {"softmax", "mine"};
    m.seeds = {7};
    lab::write_report(s.folder, m, synthetic::runs(m), samples(m));
    auto const markdown = s.read("report.md");
    BOOST_TEST(has(markdown, "No sink is promised on text"));
    BOOST_TEST(has(markdown, "book.txt"));
    BOOST_TEST(has(markdown, "mine"));
    BOOST_TEST(has(markdown, "One seed: no interval."));
    BOOST_TEST(!has(markdown, "±"));
    BOOST_TEST(!has(markdown, "above the entropy floor"));
}

BOOST_AUTO_TEST_CASE(nothing_to_report_is_an_error) {
    scratch const s;
    BOOST_CHECK_THROW(lab::write_report(s.folder, synthetic::plan(), {}, {}), lab::error);
}

BOOST_AUTO_TEST_SUITE_END()
