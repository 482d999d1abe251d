#include <attnlab/data/batches.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <boost/test/unit_test.hpp>

#include "data/support.hpp"

BOOST_AUTO_TEST_SUITE(batches)

using namespace attnlab;
using attnlab::test::says;

namespace {

/// Inputs and targets (B,T), none of them set.
struct pair {
    tensor<token, 2> x, y;
    pair(index_t B, index_t T) : x({B, T}, -7), y({B, T}, -7) {}
    bool operator==(pair const& o) const {
        return std::equal(x.data(), x.data() + x.size(), o.x.data()) && std::equal(y.data(), y.data() + y.size(), o.y.data());
    }
};

template <class Source>
pair trained(Source const& source, std::uint64_t i, index_t B, index_t T) {
    pair out(B, T);
    source.batch(i, *out.x, *out.y);
    return out;
}

template <class Source>
pair evaluated(Source const& source, std::uint64_t i, index_t B, index_t T) {
    pair out(B, T);
    source.evaluation(i, *out.x, *out.y);
    return out;
}

/// first, first + 1, ..: a token is its own position.
token_array counting(std::string name, token first, token count) {
    std::vector<token> out;
    for (token i = 0; i < count; ++i) out.push_back(first + i);
    return {std::move(name), std::move(out)};
}

/// 900 training tokens 0.., 100 validation tokens 900..: where a window lies shows in its tokens.
token_batches windows(token_batch_settings settings) {
    return {counting("train", 0, 900), counting("validation", 900, 100), settings};
}

struct unfinished {
    void batch(std::uint64_t, view<token, 2>, view<token, 2>) const {}
};
static_assert(!batch_source<unfinished>);

}  // namespace

BOOST_AUTO_TEST_CASE(backcopy_batch_i_is_sequences_from_i_b) {
    backcopy const task({.length = 10});
    backcopy_batches const source(task, 3);
    std::vector<token> sequence(11);
    auto const third = trained(source, 3, 4, 10), evaluation = evaluated(source, 3, 4, 10);
    for (index_t b = 0; b < 4; ++b)
        for (auto const& [stream, found] :
             {std::pair{backcopy::training_stream(3), &third}, {backcopy::evaluation_stream(), &evaluation}}) {
            task.sequence(stream, static_cast<std::uint64_t>(12 + b), sequence);
            for (index_t t = 0; t < 10; ++t) {
                BOOST_TEST(found->x(b, t) == sequence[static_cast<std::size_t>(t)]);
                BOOST_TEST(found->y(b, t) == sequence[static_cast<std::size_t>(t + 1)]);
            }
        }
    pair direct(4, 10);
    source.sequences(backcopy::evaluation_stream(), 12, *direct.x, *direct.y);
    BOOST_TEST((direct == evaluation));
}

BOOST_AUTO_TEST_CASE(backcopy_seed_draws_training_only) {
    backcopy const task;
    backcopy_batches const one(task, 1), two(task, 2);
    BOOST_TEST(!(trained(one, 0, 8, 32) == trained(two, 0, 8, 32)));
    BOOST_TEST((evaluated(one, 5, 8, 32) == evaluated(two, 5, 8, 32)));
    BOOST_TEST(!(trained(one, 0, 8, 32) == evaluated(one, 0, 8, 32)));
}

BOOST_AUTO_TEST_CASE(batches_do_not_depend_on_order) {
    auto const check = [](auto const& source, index_t T) {
        auto const late = trained(source, 1000, 3, T), first = trained(source, 0, 3, T);
        auto const held = evaluated(source, 2, 3, T);
        BOOST_TEST((trained(source, 1000, 3, T) == late));
        BOOST_TEST((trained(source, 0, 3, T) == first));
        BOOST_TEST((evaluated(source, 2, 3, T) == held));
        BOOST_TEST(!(late == first));
    };
    check(backcopy_batches(backcopy({.length = 12})), 12);
    check(windows({.length = 12}), 12);
    check(windows({.length = 12, .bos = 1000}), 12);
}

BOOST_AUTO_TEST_CASE(windows_stay_inside_their_part) {
    for (std::optional<token> const bos : {std::optional<token>{}, std::optional<token>{1000}}) {
        auto const source = windows({.length = 16, .bos = bos});
        std::set<token> trained_on, evaluated_on;
        for (std::uint64_t i = 0; i < 200; ++i) {
            for (auto const& b = trained(source, i, 8, 16); token y : *b.y) trained_on.insert(y);
            for (auto const& b = evaluated(source, i, 8, 16); token y : *b.y) evaluated_on.insert(y);
        }
        // Every token that can be a target is one, the first and last included; the parts never touch.
        token const skipped = bos ? 0 : 1;
        BOOST_TEST(*trained_on.begin() == skipped);
        BOOST_TEST(*trained_on.rbegin() == 899);
        BOOST_TEST(trained_on.size() == static_cast<std::size_t>(900 - skipped));
        BOOST_TEST(*evaluated_on.begin() == 900 + skipped);
        BOOST_TEST(*evaluated_on.rbegin() == 999);
        BOOST_TEST(evaluated_on.size() == static_cast<std::size_t>(100 - skipped));
    }
}

BOOST_AUTO_TEST_CASE(targets_are_the_next_tokens) {
    auto const plain = trained(windows({.length = 16}), 4, 8, 16);
    for (index_t b = 0; b < 8; ++b)
        for (index_t t = 0; t < 16; ++t) {
            BOOST_TEST(plain.x(b, t) == plain.x(b, 0) + t);
            BOOST_TEST(plain.y(b, t) == plain.x(b, t) + 1);
        }
    auto const opened = trained(windows({.length = 16, .bos = 1000}), 4, 8, 16);
    for (index_t b = 0; b < 8; ++b) {
        BOOST_TEST(opened.x(b, 0) == 1000);
        for (index_t t = 1; t < 16; ++t) BOOST_TEST(opened.x(b, t) == opened.y(b, t - 1));
        for (index_t t = 0; t < 16; ++t) BOOST_TEST(opened.y(b, t) == opened.y(b, 0) + t);
    }
}

BOOST_AUTO_TEST_CASE(training_windows_begin_anywhere_alike) {
    auto const source = windows({.length = 20});  // 880 starts
    std::vector<int> tenths(10);
    for (std::uint64_t i = 0; i < 1000; ++i)
        for (auto const& b = trained(source, i, 8, 20); index_t r : {0, 1, 2, 3, 4, 5, 6, 7})
            ++tenths[static_cast<std::size_t>(b.x(r, 0) / 88)];
    for (int n : tenths) BOOST_TEST(std::abs(n - 800) < 135);  // 5 deviations of a binomial
}

BOOST_AUTO_TEST_CASE(evaluation_windows_are_spread_whatever_their_number) {
    auto const source = windows({.length = 19});  // 81 starts
    for (index_t const B : {4, 8, 16, 32}) {
        auto const found = evaluated(source, 0, B, 19);
        std::set<token> starts;
        for (index_t b = 0; b < B; ++b) starts.insert(found.x(b, 0) - 900);
        BOOST_TEST(starts.size() == static_cast<std::size_t>(B));
        token before = 0;
        starts.insert(80);
        for (token s : starts) {
            BOOST_TEST(static_cast<double>(s - before) <= 2.2 * 81 / static_cast<double>(B) + 1);  // no large hole
            before = s;
        }
    }
    BOOST_TEST((evaluated(windows({.length = 19, .seed = 9}), 3, 4, 19) == evaluated(source, 3, 4, 19)));
    BOOST_TEST(!(trained(windows({.length = 19, .seed = 9}), 3, 4, 19) == trained(source, 3, 4, 19)));
}

BOOST_AUTO_TEST_CASE(a_text_of_one_window_is_enough_and_one_token_less_is_not) {
    auto const make = [](token tokens, std::optional<token> bos) {
        return token_batches(counting("tiny.txt", 0, 50), counting("tiny.txt: validation part", 0, tokens),
                             {.length = 8, .bos = bos});
    };
    auto const plain = evaluated(make(9, {}), 7, 2, 8), opened = evaluated(make(8, 100), 7, 2, 8);
    BOOST_TEST(plain.x(1, 0) == 0);
    BOOST_TEST(plain.y(1, 7) == 8);
    BOOST_TEST(opened.x(1, 0) == 100);
    BOOST_TEST(opened.y(1, 7) == 7);
    says([&] { make(8, {}); }, {"tiny.txt: validation part", "8 tokens", "at least 9", "length 8"});
    says([&] { make(7, 100); }, {"tiny.txt: validation part", "7 tokens", "at least 8", "BOS"});
    says([&] { token_batches(counting("short", 0, 3), counting("long", 0, 50), {.length = 8}); },
         {"short: 3 tokens", "at least 9"});
    says([&] { token_batches({}, counting("long", 0, 50), {.length = 8}); }, {"0 tokens"});
}

BOOST_AUTO_TEST_CASE(wrong_settings_and_shapes_are_named) {
    says([] { windows({.length = 0}); }, {"length", "got 0"});
    says([] { windows({.length = 4, .bos = -1}); }, {"bos", "got -1"});
    auto const source = windows({.length = 16});
    says([&] { trained(source, 0, 2, 15); }, {"(B,16)", "(2,15)"});
    says([&] { evaluated(source, 0, 2, 17); }, {"(B,16)", "(2,17)"});
    pair uneven(2, 16);
    uneven.y.resize({3, 16});
    says([&] { source.batch(0, *uneven.x, *uneven.y); }, {"(2,16)", "(3,16)"});
    backcopy_batches const made_up{backcopy()};
    says([&] { trained(made_up, 0, 2, 31); }, {"(B,32)", "(2,31)"});
    says([&] { evaluated(made_up, 0, 2, 33); }, {"(B,32)", "(2,33)"});
}

BOOST_AUTO_TEST_SUITE_END()
