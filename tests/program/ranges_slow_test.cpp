// The default experiment, run whole, must come out as its design measured it with another implementation: the acceptance ranges of
// the Bigram-Backcopy task (matrix seed 1, any weights and data). Where one seed may stray, the median of the three is judged.
#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/results_json.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(ranges)

namespace {
struct range {
    double low, high;
};
}  // namespace

BOOST_AUTO_TEST_CASE(six_attentions_on_bigram_backcopy) {
    using namespace attnlab;
    test::temporary_folder folder;
    auto const run = test::attnlab_run("reproduce --quiet --out " + (folder.path / "out").string());
    BOOST_REQUIRE_MESSAGE(run.status == 0, run.text);
    auto const [how, rows] = read_results_json(folder.path / "out" / "results.json");
    BOOST_TEST(how.seeds.size() == 3u);
    BOOST_TEST(how.policies.size() == 6u);

    auto const expect = [&rows = rows](std::string const& policy, measure_at const& at, range r) {
        auto const e = rows.last(policy, at);
        BOOST_TEST(e.count == 3u, policy << " " << at.metric);
        BOOST_TEST((r.low <= e.median && e.median <= r.high),
                   policy << " " << at.metric << ": median " << e.median << ", expected " << r.low << " to " << r.high);
    };
    constexpr double none = 1e9;
    for (std::string const policy : {"softmax", "value_bias", "context_bias", "attention_bias", "context_scale", "sigmoid"}) {
        expect(policy, {"excess"}, {.018, .035});
        expect(policy, {"copy_accuracy"}, {.995, 1});
        expect(policy, {"copy_loss"}, {0, .01});
        for (attnlab::index_t layer = 0; layer < 3; ++layer) expect(policy, {"resid_post.outliers_50x", layer}, {0, 0});
    }
    for (std::string const policy : {"softmax", "value_bias", "context_bias"}) {
        expect(policy, {"bos_mass", 0}, {.6, 1});
        expect(policy, {"value_ratio", 0}, {0, .15});
        expect(policy, {"sinks_and_drains"}, {3, 12});
        expect(policy, {"resid_pre.kurtosis", 0}, {5, none});
    }
    expect("attention_bias", {"bos_mass", 0}, {0, .15});
    expect("attention_bias", {"value_ratio", 0}, {.4, none});
    expect("attention_bias", {"sinks_and_drains"}, {0, 2});
    expect("attention_bias", {"resid_pre.kurtosis", 0}, {0, 4.3});
    expect("context_scale", {"bos_mass", 0}, {0, .2});
    expect("context_scale", {"value_ratio", 0}, {.6, none});
    expect("context_scale", {"sinks_and_drains"}, {0, 1});
    expect("context_scale", {"resid_pre.kurtosis", 0}, {0, 4.5});
    expect("sigmoid", {"bos_mass", 0}, {0, .03});
    expect("sigmoid", {"value_ratio", 0}, {.5, none});
    expect("sigmoid", {"sinks_and_drains"}, {0, 0});
    expect("sigmoid", {"resid_pre.kurtosis", 0}, {0, 4.3});
}

BOOST_AUTO_TEST_SUITE_END()
