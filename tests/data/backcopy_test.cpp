#include <attnlab/data/backcopy.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "data/support.hpp"

// Numbers without a source of their own are the check values of the task's definition (docs: Bigram-Backcopy; vocabulary 64, 3
// triggers, matrix seed 1), which another implementation computed.

BOOST_AUTO_TEST_SUITE(backcopy_task)

using namespace attnlab;
using attnlab::backcopy;  // nearer than the suite of that name
using attnlab::test::says;

namespace {

std::vector<token> tokens_of(backcopy const& task, std::uint64_t s, rng::key stream = backcopy::evaluation_stream()) {
    std::vector<token> out(static_cast<std::size_t>(task.settings().length + 1));
    task.sequence(stream, s, out);
    return out;
}

/// B evaluation sequences from number `first`, and the logits of a model that knows the language.
struct known {
    tensor<token, 2> x, y;
    tensor<double, 3> logits;

    known(backcopy const& task, index_t B, std::uint64_t first = 0) {
        auto const [V, k, T, seed] = task.settings();
        x.resize({B, T});
        y.resize({B, T});
        logits.resize({B, T, V});
        for (index_t b = 0; b < B; ++b) {
            auto const s = tokens_of(task, first + static_cast<std::uint64_t>(b));
            for (index_t t = 0; t < T; ++t) {
                x(b, t) = s[static_cast<std::size_t>(t)];
                y(b, t) = s[static_cast<std::size_t>(t + 1)];
                for (index_t j = 0; j < V; ++j)
                    logits(b, t, j) =
                        std::log(task.is_trigger(x(b, t)) ? (j == x(b, t - 1) ? 1.0 : 0.0) : task.transition()(x(b, t), j));
            }
        }
    }
    backcopy_score score(backcopy const& task) { return task.score(*x, *y, *logits); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(random_numbers_are_those_of_the_definition) {
    BOOST_TEST(rng::bits(0, 0) == 0xe220a8397b1dcdafu);
    BOOST_TEST(rng::stream(1, 0) == 0x3aacc32cf53efc63u);
    BOOST_TEST(backcopy::evaluation_stream() == 0xdbd238973a2b148au);
    BOOST_TEST(backcopy::training_stream(7) == rng::stream(7, 1));
    double const expected[] = {.25421382, .89472320, .37388822};
    for (std::uint64_t n = 0; n < 3; ++n)
        BOOST_TEST(std::abs(rng::uniform(backcopy::evaluation_stream(), n) - expected[n]) < 5e-9);
}

BOOST_AUTO_TEST_CASE(transition_matrix_is_that_of_the_definition) {
    backcopy const task;
    auto const P = task.transition();
    double const expected[] = {.00532384, .01326973, .00892304, .01602498, .04768948};
    for (index_t j = 1; j <= 5; ++j) BOOST_TEST(std::abs(P(4, j) - expected[j - 1]) < 5e-9);
    BOOST_TEST(std::abs(task.entropy(0) - 3.7676898) < 5e-8);
    for (index_t i = 0; i < 64; ++i) {
        double sum = 0;
        for (double p : P[i]) sum += p;
        BOOST_TEST(std::abs(sum - 1) < 1e-14);
        BOOST_TEST(P(i, 0) == 0);  // BOS comes once
    }
    for (index_t j = 1; j <= 3; ++j) BOOST_TEST(P(0, j) == 0);  // the first token is ordinary
    BOOST_TEST(std::abs(P(0, 4) / P(0, 8) - 2) < 1e-12);
}

BOOST_AUTO_TEST_CASE(sequences_are_those_of_the_definition) {
    std::vector<token> const first{0, 47, 3, 47, 4, 57, 48, 6, 7, 13, 5, 18, 2, 18, 2, 18, 7, 55, 1, 55, 27};
    std::vector<token> const second{0, 22, 58, 1, 58, 31, 6, 6, 14, 6, 49, 39};
    backcopy const task;
    auto const zero = tokens_of(task, 0), one = tokens_of(task, 1);
    BOOST_TEST(std::vector<token>(zero.begin(), zero.begin() + 21) == first, boost::test_tools::per_element());
    BOOST_TEST(std::vector<token>(one.begin(), one.begin() + 12) == second, boost::test_tools::per_element());

    backcopy const longer({.length = 64});  // the same sequences, continued
    auto const long_zero = tokens_of(longer, 0);
    BOOST_TEST(std::equal(zero.begin(), zero.end(), long_zero.begin()));
    BOOST_TEST(tokens_of(task, 0, backcopy::training_stream(1)) != zero);
}

BOOST_AUTO_TEST_CASE(triggers_copy_and_never_follow_one_another) {
    backcopy const task;
    index_t triggers = 0;
    for (std::uint64_t s = 0; s < 300; ++s) {
        auto const x = tokens_of(task, s, backcopy::training_stream(5));
        BOOST_TEST(x[0] == 0);
        for (std::size_t t = 1; t < x.size(); ++t) {
            BOOST_TEST((1 <= x[t] && x[t] < 64));
            if (!task.is_trigger(x[t - 1])) continue;
            ++triggers;
            BOOST_TEST(x[t] == x[t - 2]);
            BOOST_TEST(!task.is_trigger(x[t]));
        }
    }
    BOOST_TEST(triggers > 1000);
}

BOOST_AUTO_TEST_CASE(floor_is_that_of_the_definition) {
    auto const at_32 = backcopy().floor(), at_64 = backcopy({.length = 64}).floor();
    BOOST_TEST(std::abs(at_32.loss - 1.9490768) < 5e-8);
    BOOST_TEST(std::abs(at_32.trigger_share - .2390778) < 5e-8);
    BOOST_TEST(std::abs(at_32.loss / (1 - at_32.trigger_share) - 2.5614664) < 5e-8);
    BOOST_TEST(std::abs(at_64.loss - 1.8898020) < 5e-8);
    BOOST_TEST(std::abs(at_64.trigger_share - .2507612) < 5e-8);
    BOOST_TEST(backcopy({.length = 1}).floor().loss == backcopy().entropy(0));
    BOOST_TEST(std::abs(backcopy({.matrix_seed = 2}).floor().loss - at_32.loss) > 1e-3);
}

BOOST_AUTO_TEST_CASE(a_perfect_model_has_no_excess_and_the_loss_of_the_definition) {
    backcopy const task;
    auto const evaluation = known(task, 128).score(task);
    BOOST_TEST(evaluation.positions == 128 * 32);
    BOOST_TEST(std::abs(evaluation.loss() - 1.9552809) < 5e-8);
    BOOST_TEST(std::abs(evaluation.excess()) < 1e-12);
    BOOST_TEST(evaluation.copy_loss() == 0);
    BOOST_TEST(evaluation.copy_accuracy() == 1);
    auto const share = static_cast<double>(evaluation.triggers) / static_cast<double>(evaluation.positions);
    BOOST_TEST(std::abs(share - task.floor().trigger_share) < .02);
    BOOST_TEST(std::abs(known(task, 256, 1000).score(task).loss() - 1.9704640) < 5e-8);
}

BOOST_AUTO_TEST_CASE(scores_of_batches_add_up) {
    backcopy const task;
    auto whole = known(task, 12), head = known(task, 5), tail = known(task, 7, 5);
    for (auto* part : {&whole, &head, &tail})  // a model that is wrong in its own way at every token, and right after trigger 2
        for (index_t b = 0; b < part->x.shape(0); ++b)
            for (index_t t = 0; t < 32; ++t)
                for (index_t j = 0; j < 64; ++j)
                    part->logits(b, t, j) =
                        part->x(b, t) == 2 && j == part->x(b, t - 1) ? 3 : std::sin(static_cast<double>(j * part->x(b, t)));
    auto sum = head.score(task);
    sum += tail.score(task);
    auto const once = whole.score(task);
    BOOST_TEST(sum.positions == once.positions);
    BOOST_TEST(sum.triggers == once.triggers);
    BOOST_TEST(sum.copy_accuracy() == once.copy_accuracy());
    BOOST_TEST((0 < once.copy_accuracy() && once.copy_accuracy() < 1));
    BOOST_TEST(std::abs(sum.excess() - once.excess()) < 1e-12);
    BOOST_TEST(std::abs(sum.copy_loss() - once.copy_loss()) < 1e-12);
    BOOST_TEST(std::abs(sum.loss() - once.loss()) < 1e-12);
    BOOST_TEST(once.excess() > .5);
}

BOOST_AUTO_TEST_CASE(a_sequence_without_its_first_token_scores_as_what_is_left) {
    backcopy const task;
    auto const whole = known(task, 6);
    auto const columns = [&](index_t from, index_t to) {
        tensor<token, 2> x({6, to - from}), y(x.shape());
        tensor<double, 3> logits({6, to - from, 64});
        for (index_t b = 0; b < 6; ++b)
            for (index_t t = from; t < to; ++t) {
                x(b, t - from) = whole.x(b, t), y(b, t - from) = whole.y(b, t);
                for (index_t j = 0; j < 64; ++j) logits(b, t - from, j) = std::sin(static_cast<double>(j * whole.x(b, t) + t));
            }
        return task.score(*x, *y, *logits, from);
    };
    auto parts = columns(0, 1);
    parts += columns(1, 32);
    auto const once = columns(0, 32);
    BOOST_TEST(parts.triggers == once.triggers);
    BOOST_TEST(once.triggers > 0);
    BOOST_TEST(std::abs(parts.excess() - once.excess()) < 1e-12);
    BOOST_TEST(std::abs(parts.copy_loss() - once.copy_loss()) < 1e-12);
}

BOOST_AUTO_TEST_CASE(a_uniform_model_scores_what_arithmetic_says) {
    backcopy const task;
    known data(task, 9);
    tensor<float, 3> logits({9, 32, 64}, 2.5f);  // a constant a row does not matter
    auto const score = task.score(*data.x, *data.y, *logits);
    double expected = 0;
    index_t triggers = 0;
    for (token x : *data.x) {
        triggers += task.is_trigger(x);
        expected += std::log(64.) - (task.is_trigger(x) ? 0 : task.entropy(x));
    }
    BOOST_TEST(score.triggers == triggers);
    BOOST_TEST(std::abs(score.loss() - std::log(64.)) < 1e-12);
    BOOST_TEST(std::abs(score.copy_loss() - std::log(64.)) < 1e-12);
    BOOST_TEST(std::abs(score.excess() - expected / (9 * 32)) < 1e-12);
    BOOST_TEST(score.copy_accuracy() == 0);  // ties go to the first token, BOS
}

BOOST_AUTO_TEST_CASE(one_wrong_copy_is_seen) {
    backcopy const task;
    known data(task, 1);
    BOOST_TEST(data.x(0, 2) == 3);  // sequence 0: 0 47 3 47
    data.logits(0, 2, 47) = std::log(.25);
    data.logits(0, 2, 5) = std::log(.75);
    auto const score = data.score(task);
    auto const triggers = static_cast<double>(score.triggers);
    BOOST_TEST(std::abs(score.copy_accuracy() - (triggers - 1) / triggers) < 1e-12);
    BOOST_TEST(std::abs(score.copy_loss() - std::log(4.) / triggers) < 1e-12);
    BOOST_TEST(std::abs(score.excess() - std::log(4.) / 32) < 1e-12);
}

BOOST_AUTO_TEST_CASE(a_trigger_in_first_place_copies_nothing) {
    backcopy const task;
    known data(task, 1, 1);  // sequence 1: 0 22 58 1 58
    auto const before = data.score(task);
    data.x(0, 1) = 2;  // no sequence has it, but the definition says what follows: a draw
    for (index_t j = 0; j < 64; ++j) data.logits(0, 1, j) = std::log(task.transition()(2, j));
    auto const score = data.score(task);
    BOOST_TEST(score.triggers == before.triggers);
    BOOST_TEST(std::abs(score.excess()) < 1e-12);
}

BOOST_AUTO_TEST_CASE(a_model_that_is_broken_does_not_look_well) {
    backcopy const task;
    known data(task, 2);
    data.logits(1, 5, 9) = std::numeric_limits<double>::quiet_NaN();
    BOOST_TEST(std::isnan(data.score(task).excess()));
    BOOST_TEST(std::isnan(data.score(task).loss()));
    backcopy const single({.length = 1});
    BOOST_TEST(std::isnan(known(single, 1).score(single).copy_accuracy()));  // no trigger, nothing to be right about
}

BOOST_AUTO_TEST_CASE(wrong_input_is_named) {
    says([] { backcopy({.triggers = 0}); }, {"triggers", "1 to", "got 0"});
    says([] { backcopy({.vocabulary = 4}); }, {"vocabulary", "expected 5", "got 4"});
    says([] { backcopy({.vocabulary = 5000}); }, {"vocabulary", "4096", "got 5000"});
    says([] { backcopy({.length = 0}); }, {"length", "got 0"});
    says([] { backcopy({.length = 4096}); }, {"length", "4095", "got 4096"});

    backcopy const task;
    std::vector<token> out(32);
    says([&] { task.sequence(1, 0, out); }, {"sequence", "33", "got 32"});
    known data(task, 2);
    tensor<token, 2> short_targets({2, 31}, 5);
    tensor<float, 3> narrow({2, 32, 63}, 0);
    says([&] { task.score(*data.x, *short_targets, *data.logits); }, {"targets", "(2,32)", "(2,31)"});
    says([&] { task.score(*data.x, *data.y, *narrow); }, {"logits", "(2,32,64)", "(2,32,63)"});
    data.y(1, 3) = -1;
    says([&] { data.score(task); }, {"row 1 position 3", "below 64", "got -1"});
    data.y(1, 3) = 5;
    data.x(0, 4) = 64;
    says([&] { data.score(task); }, {"row 0 position 4", "got 64"});
}

BOOST_AUTO_TEST_SUITE_END()
