// A GPT watched while it trains: what is streamed is what patterns and hidden states say of the same weights afterwards.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/attention_scores.hpp>
#include <attnlab/analysis/measure.hpp>
#include <attnlab/analysis/statistics_measure.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/data/backcopy.hpp>
#include <attnlab/data/batches.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/observe/record.hpp>
#include <attnlab/observe/reduce.hpp>
#include <attnlab/train/trainer.hpp>

#include "io/folder.hpp"

using namespace attnlab;
using model = gpt<attention<causal, softmax>, cpu>;

BOOST_AUTO_TEST_SUITE(observed_training)

namespace {

gpt_config const small{.n_layer = 2, .n_head = 4, .n_embd = 16, .n_kv_head = 2, .block_size = 12, .vocab_size = 32, .bias = true, .init_std = 0.3};

struct trained {
    backcopy_batches data{backcopy({small.vocab_size, 3, small.block_size, 1})};
    tensor<token, 2> x{{3, small.block_size}}, y{{3, small.block_size}};
    model m{small};
    train_settings settings;

    trained() {
        m.parameters().initialize(1);
        data.evaluation(0, x, y);
        settings.max_iters = 6;
        settings.eval_iters = 0;
        settings.gradient_accumulation_steps = 2;
        settings.batch_size = 4;
        settings.block_size = small.block_size;
        settings.schedule = {0.01, 0.01, 0, 6};
    }
};

// The value of a row of the last step; fails where there is none.
double last(std::vector<observation> const& rows, std::string const& metric, index_t layer = whole, index_t head = whole) {
    for (auto at = rows.rbegin(); at != rows.rend(); ++at)
        if (at->metric == metric && at->layer == layer && at->head == head) return at->value;
    BOOST_ERROR("no row " << metric << " of layer " << layer << ", head " << head);
    return std::nan("");
}

}  // namespace

BOOST_AUTO_TEST_CASE(streams_say_what_is_measured_afterwards) {
    folder f;
    trained t;
    trainer run(t.m, t.settings);
    observation_stream statistics(f / "statistics.csv"), moments_of_stream(f / "moments.jsonl");
    run.observe_every(2, probe(*t.x, *t.y, measure_statistics<float>(3)), statistics);
    run.observe_every(3, probe(*t.x, *t.y, reduce<moments, site::resid_post, site::ln_final>()), moments_of_stream);
    run.run(t.data);

    measure<float> offline(3);
    record<float, site::pattern> patterns;
    together both(offline, patterns);
    double const loss = t.m.loss(*t.x, *t.y, both);
    results expected;
    offline.finish(expected, "softmax", 1, 6);
    auto const rows = read_observations(statistics.path());
    BOOST_TEST(last(rows, "loss") == loss);
    BOOST_TEST(last(rows, "not_finite") == 0);
    int compared = 0;
    for (auto const& r : expected) {
        bool const of_head = r.metric == "value_ratio" && r.head != whole, of_stream = r.metric.starts_with("resid_post.");
        if (!of_head && !of_stream && !(r.metric.starts_with("resid_pre.") && r.layer == 0)) continue;
        BOOST_TEST_CONTEXT(r.metric << " of layer " << r.layer << ", head " << r.head) BOOST_TEST(last(rows, r.metric, r.layer, r.head) == r.value);
        ++compared;
    }
    BOOST_TEST(compared == 2 * 4 + 3 * 11);

    index_t const T = small.block_size;
    for (index_t layer = 0; layer < 2; ++layer) {
        auto const& p = patterns.at(site::full_name<site::pattern>(layer)).values;
        for (index_t h = 0; h < 4; ++h) {
            running_mean sink, top;
            attention_scores scores;
            for (index_t b = 0; b < 3; ++b) {
                view<float const, 2> const head(p.data() + (b * 4 + h) * T * T, {T, T});
                attention_column_sums sums;
                sums.add(head);
                sink.add(sums.share(0));
                double most = 0;
                for (index_t j = 0; j < T; ++j) most = std::max(most, sums.sum(j) / static_cast<double>(T));
                top.add(most);
                scores.add(view<float const, 3>(head.data(), {1, T, T}));
            }
            auto const near = [&](char const* metric, double value) {
                BOOST_TEST_CONTEXT(metric << " of layer " << layer << ", head " << h) BOOST_TEST(std::abs(last(rows, metric, layer, h) - value) < 1e-5);
            };
            near("sink_share", sink.mean());
            near("top_key_share", top.mean());
            near("attention_entropy", scores.entropy());
            BOOST_TEST(last(rows, "top_key", layer, h) < static_cast<double>(T));
            BOOST_TEST(std::isfinite(last(rows, "largest_score", layer, h)));
        }
    }

    reduce<moments, site::resid_post> after;
    t.m.loss(*t.x, *t.y, after);
    auto const of_stream = read_observations(moments_of_stream.path());
    BOOST_TEST(last(of_stream, "hook_resid_post.kurtosis", 1) == after.at("blocks.1.hook_resid_post").kurtosis());
    BOOST_TEST(last(of_stream, "ln_final.hook_normalized.not_finite") == 0);
}

BOOST_AUTO_TEST_CASE(no_bit_of_the_training_changes) {
    folder f;
    trained alone, watched;
    trainer(alone.m, alone.settings).run(alone.data);
    observation_stream out(f / "a.csv");
    trainer run(watched.m, watched.settings);
    run.observe_every(1, probe(*watched.x, *watched.y, measure_statistics<float>()), out);
    run.run(watched.data);
    for (auto const& p : alone.m.parameters())
        BOOST_TEST_CONTEXT(p->name) BOOST_TEST(std::equal(p->value.begin(), p->value.end(), watched.m.parameters().at(p->name).value.begin()));
}

BOOST_AUTO_TEST_SUITE_END()
