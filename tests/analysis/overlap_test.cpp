#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/outliers/json.hpp>
#include <attnlab/analysis/outliers/overlap.hpp>
#include <attnlab/core/rng.hpp>

// The suite is named apart: attnlab::overlap is a function.
BOOST_AUTO_TEST_SUITE(set_overlaps)

using namespace attnlab;
namespace tt = boost::test_tools;

namespace {

using tokens = outlier_set<axis::layer, axis::token>;

tokens of(std::vector<std::array<index_t, 2>> const& at, index_t layers = 4, index_t length = 8) {
    std::vector<tokens::element> elements;
    for (auto const& c : at) elements.push_back({c, 1});
    return {elements, {{{layers, 0, layers}, {length, 0, length}}}, {}};
}

double choose(int n, int k) {
    if (k < 0 || k > n) return 0;
    double out = 1;
    for (int i = 1; i <= k; ++i) out = out * (n - k + i) / i;
    return out;
}
double tail(int hits, int drawn, int marked, int space) {
    double sum = 0;
    for (int x = hits; x <= drawn; ++x) sum += choose(marked, x) * choose(space - marked, drawn - x);
    return sum / choose(space, drawn);
}

/// Largest matching, by augmenting paths.
std::size_t matching(std::vector<std::array<index_t, 2>> const& a, std::vector<std::array<index_t, 2>> const& b, index_t slack) {
    std::vector<int> partner(b.size(), -1);
    std::size_t n = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::vector<bool> tried(b.size());
        std::function<bool(std::size_t)> place = [&](std::size_t x) {
            for (std::size_t j = 0; j < b.size(); ++j) {
                if (tried[j] || a[x][0] != b[j][0] || std::abs(a[x][1] - b[j][1]) > slack) continue;
                tried[j] = true;
                if (partner[j] >= 0 && !place(static_cast<std::size_t>(partner[j]))) continue;
                partner[j] = static_cast<int>(x);
                return true;
            }
            return false;
        };
        n += place(i);
    }
    return n;
}

}  // namespace

BOOST_AUTO_TEST_CASE(ratios_by_hand) {
    auto const o = overlap(of({{0, 0}, {1, 2}, {1, 3}}), of({{0, 0}, {1, 3}, {2, 2}, {3, 7}}));
    BOOST_TEST(o.a == 3u);
    BOOST_TEST(o.b == 4u);
    BOOST_TEST(o.both == 2u);
    BOOST_TEST(o.hits == 2u);
    BOOST_TEST(o.space == 32);
    BOOST_TEST(*o.iou == 2 / 5.0);
    BOOST_TEST(*o.recall_of_a == 2 / 3.0);
    BOOST_TEST(*o.recall_of_b == 2 / 4.0);
    BOOST_TEST(*o.coefficient == 2 / 3.0);
    BOOST_TEST(*o.expected == 12 / 32.0);
    BOOST_TEST(*o.lift == 2 / (12 / 32.0));
    BOOST_TEST(*o.p() == tail(2, 3, 4, 32), tt::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(two_empty_sets_are_neither_alike_nor_different) {
    auto const none = overlap(of({}), of({}));
    BOOST_TEST(!none.iou);
    BOOST_TEST(!none.recall_of_a);
    BOOST_TEST(!none.coefficient);
    BOOST_TEST(!none.log10_p);
    BOOST_TEST(none.a + none.b == 0u);
    auto const one = overlap(of({{0, 1}}), of({}));
    BOOST_TEST(*one.iou == 0);
    BOOST_TEST(*one.recall_of_a == 0);
    BOOST_TEST(!one.recall_of_b);
    BOOST_TEST(!one.lift);
    auto const j = to_json(none);
    BOOST_TEST(j.at("iou").is_null());
    BOOST_TEST(j.at("a") == 0);
    BOOST_TEST(j.at("b") == 0);
}

BOOST_AUTO_TEST_CASE(chance) {
    using channels = outlier_set<axis::channel>;
    channels const one({{{1415}, 1}}, {{{4096, 0, 4096}}}, {});
    BOOST_TEST(*overlap(one, one).p() == 1 / 4096., tt::tolerance(1e-12));   // outliers.md: 2.4e-4
    for (int space = 1; space <= 12; ++space)
        for (int drawn = 0; drawn <= space; ++drawn)
            for (int marked = 0; marked <= space; ++marked)
                for (int hits = 0; hits <= drawn + 1; ++hits)
                    BOOST_TEST(std::exp(log_hypergeometric_tail(hits, drawn, marked, space)) == tail(hits, drawn, marked, space),
                               tt::tolerance(1e-11));
    // A tail far beyond what a double holds: 100 of 100 that agree among 1e8; log of 1 / (1e8 choose 100)
    double sum = 0;
    for (int i = 0; i < 100; ++i) sum += std::log((1e8 - i) / (100 - i));
    BOOST_TEST(log_hypergeometric_tail(100, 100, 100, 1e8) == -sum, tt::tolerance(1e-12));
    BOOST_TEST(std::isinf(log_hypergeometric_tail(3, 2, 5, 9)));
    BOOST_CHECK_THROW(log_hypergeometric_tail(0, 10, 1, 9), error);
}

BOOST_AUTO_TEST_CASE(a_layer_is_held_against_the_next) {
    auto const a = of({{1, 5}, {2, 5}, {3, 5}}), b = of({{0, 5}, {2, 5}, {3, 5}});
    auto const o = overlap(a, b, {.layer_offset = 1});
    BOOST_TEST(*o.iou == 1);
    BOOST_TEST(o.a == 2u);
    BOOST_TEST(o.a_outside == 1u);   // layer 3 has no next
    BOOST_TEST(o.b_outside == 1u);   // layer 0 has none before
    BOOST_TEST(o.space == 24);
    BOOST_TEST(overlap(a, b, {.layer_offset = -1}).both == 2u);
    BOOST_TEST(*overlap(a.project<axis::token>(), b.project<axis::token>()).iou == 1);
    BOOST_CHECK_THROW(overlap(a.project<axis::token>(), b.project<axis::token>(), {.layer_offset = 1}), error);
}

BOOST_AUTO_TEST_CASE(position_0_is_no_evidence) {
    auto const o = overlaps(of({{0, 0}, {1, 0}, {1, 3}}), of({{0, 0}, {1, 0}, {1, 4}}));
    BOOST_TEST(o.all.both == 2u);
    BOOST_REQUIRE(o.without_first);
    BOOST_TEST(o.without_first->both == 0u);
    BOOST_TEST(o.without_first->a == 1u);
    BOOST_TEST(o.without_first->a_outside == 2u);
    BOOST_TEST(o.without_first->space == 28);
    BOOST_TEST(!overlaps(of({}).project<axis::layer>(), of({}).project<axis::layer>()).without_first);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_compared_is_refused) {
    BOOST_CHECK_THROW(overlap(of({}, 4, 8), of({}, 4, 9)), error);
    BOOST_CHECK_THROW(overlap(of({}), of({}), {.slack = -1}), error);
    BOOST_CHECK_THROW(overlap(of({}).project<axis::layer>(), of({}).project<axis::layer>(), {.slack = 1}), error);
}

BOOST_AUTO_TEST_CASE(against_brute_force_on_random_sets) {
    auto const key = rng::stream(5, "overlap");
    std::uint64_t n = 0;
    for (int round = 0; round < 200; ++round) {
        std::vector<std::array<index_t, 2>> a, b;
        for (index_t l = 0; l < 3; ++l)
            for (index_t t = 0; t < 8; ++t) {
                if (rng::uniform(key, n++) < 0.35) a.push_back({l, t});
                if (rng::uniform(key, n++) < 0.2) b.push_back({l, t});
            }
        for (index_t slack = 0; slack < 3; ++slack) {
            auto const o = overlap(of(a, 3), of(b, 3), {.slack = slack});
            std::size_t hits = 0, reach = 0;
            auto const near_b = [&](index_t l, index_t t) {
                return std::any_of(b.begin(), b.end(), [&](auto const& c) { return c[0] == l && std::abs(c[1] - t) <= slack; });
            };
            for (auto const& c : a) hits += near_b(c[0], c[1]);
            for (index_t l = 0; l < 3; ++l)
                for (index_t t = 0; t < 8; ++t) reach += near_b(l, t);
            BOOST_TEST(o.both == matching(a, b, slack));
            BOOST_TEST(o.hits == hits);
            BOOST_TEST(o.reach == reach);
            if (o.log10_p)
                BOOST_TEST(*o.p() == tail(static_cast<int>(hits), static_cast<int>(a.size()), static_cast<int>(reach), 24),
                           tt::tolerance(1e-10));
        }
    }
}

BOOST_AUTO_TEST_CASE(as_json) {
    outlier_set<axis::layer, axis::token> const s(
        {{{1, 2}, -3}}, {{{4, 0, 4}, {8, 0, 8}}},
        {.rule = "massive", .parameters = {{"above", 100.}, {"name", "x"}, {"on", true}}, .bos = true, .length = 8});
    auto const j = to_json(s.restrict<axis::layer>(1, 3));
    std::string const expected =
        R"j({"from":{"rule":"massive","parameters":{"above":100.0,"name":"x","on":true},"site":"","dtype":"","bos":true,"length":8,)j"
        R"j("sequences":0,"values":0,"not_finite":0,"steps":["restrict(layer,1,3)"]},"axes":["layer","token"],)j"
        R"j("space":{"layer":{"extent":4,"begin":1,"end":3},"token":{"extent":8,"begin":0,"end":8}},"outliers":[[1,2,-3.0]]})j";
    BOOST_TEST(j.dump() == expected);
    BOOST_TEST(to_json(provenance{}).at("bos").is_null());
    BOOST_TEST(to_json(overlaps(s, s)).at("without_first").at("both") == 1);
}

BOOST_AUTO_TEST_SUITE_END()
