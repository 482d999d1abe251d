#include <string>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/findings.hpp>

#include "synthetic.hpp"

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(findings)

namespace {
bool says(std::string const& sentence, std::string const& part) {
    bool const found = sentence.find(part) != std::string::npos;
    if (!found) BOOST_TEST_MESSAGE("'" << part << "' is not in: " << sentence);
    return found;
}

/// The made-up rows, with one metric's value replaced wherever it stands at that place.
lab::results changed(lab::results const& rows, std::string const& policy, lab::measure_at const& at, double value) {
    lab::results out;
    for (lab::result r : rows) {
        if (r.policy == policy && r.metric == at.metric && r.layer == at.layer && r.head == at.head) r.value = value;
        out.add(r);
    }
    return out;
}
lab::results without(lab::results const& rows, std::string const& policy, std::string const& metric) {
    lab::results out;
    for (lab::result const& r : rows)
        if (!(r.policy == policy && (metric.empty() || r.metric == metric))) out.add(r);
    return out;
}
std::string found(lab::results const& rows, std::string const& policy, lab::manifest const& m = synthetic::plan()) {
    return lab::finding(m, lab::summarise(rows, m, policy));
}
std::string top(lab::results const& rows, lab::manifest const& m = synthetic::plan()) { return lab::summary_text(m, lab::summarise(rows, m)); }
}  // namespace

BOOST_AUTO_TEST_CASE(sentences_follow_the_numbers) {
    auto const rows = synthetic::runs(synthetic::plan());
    BOOST_TEST(says(found(rows, "softmax"), "Sinks that drain: 8 of 12 heads in the median seed (seeds: 8, 8, 8)"));
    BOOST_TEST(says(found(rows, "softmax"), "The paper reports outliers under it; the sinks here point the same way."));
    BOOST_TEST(says(found(rows, "softmax"), "wake at triggers"));
    BOOST_TEST(says(found(rows, "sigmoid"), "No head of 12 is a sink that drains its value, in any seed."));
    BOOST_TEST(says(found(rows, "attention_bias"), "Its learned key takes"));
    BOOST_TEST(says(found(rows, "context_scale"), "Its mean gate is"));
    BOOST_TEST(!says(found(rows, "softmax"), "gate"));

    auto const turned = changed(rows, "softmax", {"sinks_and_drains"}, 0);
    BOOST_TEST(says(found(turned, "softmax"), "No head of 12"));
    BOOST_TEST(says(found(turned, "softmax"), "The paper reports outliers under it; no sink grew here."));
    BOOST_TEST(says(found(changed(rows, "sigmoid", {"sinks_and_drains"}, 5), "sigmoid"), "sinks grew here all the same"));
}

BOOST_AUTO_TEST_CASE(outliers_are_counted_not_assumed) {
    auto const rows = synthetic::runs(synthetic::plan());
    BOOST_TEST(says(found(rows, "softmax"), "No element passes 50 times the mean"));
    BOOST_TEST(says(top(rows), "none passes 50 times"));
    BOOST_TEST(!lab::outlook(lab::summarise(rows, synthetic::plan())).empty());

    auto const some = changed(rows, "softmax", {"resid_post.outliers_50x", 1}, 7);
    BOOST_TEST(says(found(some, "softmax"), "up to 7 tokens of a seed pass 50 times"));
    BOOST_TEST(says(top(some), "21 tokens pass 50 times"));
    auto const massive = changed(some, "softmax", {"resid_post.outliers_1000x", 1}, 2);
    BOOST_TEST(says(found(massive, "softmax"), "Massive activations: up to 2 tokens"));
    BOOST_TEST(says(top(massive), "6 tokens over all runs"));
    BOOST_TEST(lab::outlook(lab::summarise(massive, synthetic::plan())).empty());
}

BOOST_AUTO_TEST_CASE(quality_comes_first) {
    auto const rows = synthetic::runs(synthetic::plan());
    BOOST_TEST(says(top(rows), "Six attention policies were trained side by side on Bigram-Backcopy, 1500 steps and three seeds each"));
    BOOST_TEST(says(top(rows), "equally good"));
    BOOST_TEST(says(top(changed(rows, "sigmoid", {"excess"}, .5)), "not equally good"));
    auto const lazy = changed(rows, "sigmoid", {"copy_accuracy"}, .4);
    BOOST_TEST(says(top(lazy), "not all have learned the task"));
    BOOST_TEST(says(found(lazy, "sigmoid"), "has not learned to copy: right at 40.0 %"));
}

BOOST_AUTO_TEST_CASE(the_top_names_who_has_sinks) {
    auto const rows = synthetic::runs(synthetic::plan());
    BOOST_TEST(says(top(rows), "grew in (a) softmax, (b) value_bias and (c) context_bias (8, 8 and 8 of 12 heads in the median seed)"));
    BOOST_TEST(says(top(rows), "and not in (d) attention_bias, (e) context_scale and (f) sigmoid."));
    BOOST_TEST(says(top(rows), "without overlap"));
    BOOST_TEST(says(top(changed(rows, "sigmoid", {"resid_pre.kurtosis", 0}, 99)), "the two overlap"));
}

BOOST_AUTO_TEST_CASE(text_promises_nothing) {
    auto const m = synthetic::plan("a.txt");
    auto const rows = synthetic::runs(m);
    BOOST_TEST(says(top(rows, m), "No sink is promised on text after so short a training; what came: no policy grew"));
    BOOST_TEST(says(top(rows, m), "validation loss"));
    BOOST_TEST(!says(found(rows, "softmax", m), "triggers"));
    BOOST_TEST(says(top(changed(rows, "softmax", {"sinks_and_drains"}, 3), m), "grew in (a) softmax (3 of 12 heads"));
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_said) {
    auto const m = synthetic::plan();
    auto const rows = synthetic::runs(m);
    BOOST_TEST(lab::missing_runs(m, rows).empty());
    auto const gone = without(rows, "sigmoid", "");
    BOOST_TEST(found(gone, "sigmoid") == "No run of it is there.");
    BOOST_TEST(lab::missing_runs(m, gone).size() == 3u);
    BOOST_TEST(says(top(gone), "Five attention policies"));
    BOOST_TEST(says(found(without(rows, "softmax", "sinks_and_drains"), "softmax"), "were not measured"));
    BOOST_TEST(says(found(without(rows, "softmax", "excess"), "softmax"), "loss was not measured"));
    BOOST_TEST(!says(top(without(rows, "softmax", "sinks_and_drains")), "(a) softmax"));

    lab::results stopped;
    for (auto const& r : rows)
        if (!(r.policy == "softmax" && r.seed == 2 && r.step > 1000)) stopped.add(r);
    auto const missing = lab::missing_runs(m, stopped);
    BOOST_REQUIRE(missing.size() == 1u);
    BOOST_TEST(missing[0] == "softmax seed 2: stopped at step 1000 of 1500");
    BOOST_TEST(says(found(changed(rows, "softmax", {"not_finite"}, 4), "softmax"), "4 values of a seed were NaN"));
}

BOOST_AUTO_TEST_CASE(a_users_own_policy) {
    auto m = synthetic::plan();
    m.policies = {"mine"};
    auto const rows = synthetic::runs(m);
    BOOST_TEST(says(found(rows, "mine", m), "No head of 12"));
    BOOST_TEST(!says(found(rows, "mine", m), "The paper"));
    BOOST_TEST(says(top(rows, m), "One attention policy was trained on Bigram-Backcopy, 1500 steps and three seeds, and ends "));
}

BOOST_AUTO_TEST_CASE(the_median_of_two_seeds_is_a_mean) {
    auto m = synthetic::plan();
    m.seeds = {1, 2};
    lab::results rows;
    for (lab::result r : synthetic::runs(m)) {
        if (r.policy == "softmax" && r.metric == "sinks_and_drains") r.value = r.seed == 1 ? 4 : 5;
        rows.add(r);
    }
    BOOST_TEST(says(found(rows, "softmax", m), "Sinks that drain: 4.5 of 12 heads in the mean of two seeds (seeds: 4, 5)"));
    BOOST_TEST(says(top(rows, m), "(4.5, 8 and 8 of 12 heads in the mean of two seeds)"));
}

BOOST_AUTO_TEST_SUITE_END()
