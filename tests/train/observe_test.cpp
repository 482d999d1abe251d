#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include <attnlab/train/trainer.hpp>

#include "bigram.hpp"
#include "io/folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(observe)

namespace {

train_settings some_steps(std::int64_t steps) {
    train_settings s;
    s.max_iters = steps;
    s.eval_interval = 6;
    s.eval_iters = 0;
    s.gradient_accumulation_steps = 1;
    s.batch_size = 4;
    s.block_size = 8;
    s.schedule = {0.05, 0.005, 3, 20};
    return s;
}

void look(bigram<float>& m, step_rows& row) {
    tensor<token, 2> x({4, 8}), y({4, 8});
    rule_batches{}.evaluation(0, x, y);
    row("loss", m.loss(*x, *y));
    row("first", static_cast<double>(m.parameters().at("table").value[0]), 0, 1);
}

std::vector<index_t> steps_of(std::filesystem::path const& path) {
    std::vector<index_t> out;
    for (auto const& o : read_observations(path))
        if (o.metric == "loss") out.push_back(o.step);
    return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(before_the_first_step_every_few_and_after_the_last) {
    folder f;
    observation_stream often(f / "often.csv"), seldom(f / "seldom.jsonl");
    bigram<float> model;
    trainer t(model, some_steps(10));
    t.observe_every(4, look, often);
    t.observe_every(100, look, seldom);
    t.run(rule_batches{});
    BOOST_TEST(steps_of(often.path()) == (std::vector<index_t>{0, 4, 8, 10}), boost::test_tools::per_element());
    BOOST_TEST(steps_of(seldom.path()) == (std::vector<index_t>{0, 10}), boost::test_tools::per_element());
    step_rows now(10);
    look(model, now);
    auto const last = read_observations(often.path());
    for (std::size_t i = 0; i < 2; ++i) BOOST_TEST(last[last.size() - 2 + i].value == now.all()[i].value);
}

BOOST_AUTO_TEST_CASE(who_is_watched_trains_as_if_alone) {
    folder f;
    bigram<float> alone, watched;
    trainer(alone, some_steps(10)).run(rule_batches{});
    observation_stream out(f / "a.csv");
    trainer t(watched, some_steps(10));
    t.observe_every(1, look, out);
    t.run(rule_batches{});
    BOOST_TEST(values(alone.parameters()) == values(watched.parameters()), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_run_that_resumes_writes_the_same_file) {
    folder f;
    observation_stream whole_run(f / "whole.csv");
    bigram<float> whole;
    trainer t(whole, some_steps(20));
    t.observe_every(4, look, whole_run);
    t.run(rule_batches{});
    for (std::int64_t stop : {6, 13}) {
        auto const path = f / (std::to_string(stop) + ".csv");
        auto s = some_steps(20);
        s.checkpoint = f / (std::to_string(stop) + ".safetensors");
        auto half = s;
        half.max_iters = stop;
        bigram<float> first, second(7);
        {
            observation_stream out(path);
            trainer a(first, half);
            a.observe_every(4, look, out);
            a.run(rule_batches{});
        }
        observation_stream out(path);
        trainer b(second, s);
        b.resume(s.checkpoint);
        b.observe_every(4, look, out);
        b.run(rule_batches{});
        BOOST_TEST(read_text(path) == read_text(whole_run.path()));
    }
}

BOOST_AUTO_TEST_CASE(an_interval_below_one_is_refused) {
    folder f;
    observation_stream out(f / "a.csv");
    bigram<float> model;
    trainer t(model, some_steps(1));
    BOOST_TEST(names(error_of([&] { t.observe_every(0, look, out); }), "observe_interval", "1 or more"));
}

BOOST_AUTO_TEST_SUITE_END()
