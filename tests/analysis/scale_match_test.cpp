#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/scale_match.hpp>

namespace lab = attnlab;

BOOST_AUTO_TEST_SUITE(scale_match)

namespace {

constexpr lab::index_t N = 24, L = 2, H = 3, T = 12;

// Numbers of their own for every sequence, layer, head and query; `of` says what is made of them.
template <class Of>
lab::scale_sample sample(char const* policy, Of of) {
    lab::scale_sample s{policy, 1, {}, {}, {}};
    for (lab::index_t i = 0; i < N * T; ++i) s.tokens.push_back(i % 7);
    s.implicit.resize({N, L, H, T});
    s.gates.resize({N, L, H, T});
    for (lab::index_t n = 0; n < N; ++n)
        for (lab::index_t l = 0; l < L; ++l)
            for (lab::index_t h = 0; h < H; ++h)
                for (lab::index_t i = 0; i < T; ++i) s.implicit(n, l, h, i) = s.gates(n, l, h, i) = static_cast<float>(of(n, l * H + h, i));
    return s;
}
double noise(char const* name, lab::index_t n, lab::index_t head, lab::index_t i) {
    return lab::rng::normal(lab::rng::stream(3, name), static_cast<std::uint64_t>((n * 8 + head) * 16 + i));
}
std::vector<lab::index_t> const all{0, 1, 2, 3, 4, 5};

}  // namespace

BOOST_AUTO_TEST_CASE(assignments_are_the_best_of_all) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        std::size_t const rows = 1 + seed % 4, columns = 5;
        std::vector<double> gain;
        for (std::size_t i = 0; i < rows * columns; ++i) gain.push_back(std::floor(8 * lab::rng::uniform(lab::rng::stream(seed, "gains"), i)) - 3);
        auto const sum = [&](std::vector<std::size_t> const& of) {
            double out = 0;
            for (std::size_t r = 0; r < rows; ++r) out += gain[r * columns + of[r]];
            return out;
        };
        std::vector<std::size_t> order(columns);
        std::iota(order.begin(), order.end(), 0U);
        double best = -1e9;
        do best = std::max(best, sum(order));
        while (std::next_permutation(order.begin(), order.end()));
        auto const found = lab::best_assignment(gain, rows, columns);
        BOOST_TEST(sum(found) == best);
        auto unique = found;
        std::sort(unique.begin(), unique.end());
        BOOST_TEST((std::adjacent_find(unique.begin(), unique.end()) == unique.end()));
    }
    BOOST_CHECK_THROW(lab::best_assignment({1, 2}, 2, 1), lab::error);
}

BOOST_AUTO_TEST_CASE(heads_in_another_order_are_found) {
    auto const a = sample("softmax", [](auto n, auto head, auto i) { return noise("a", n, head, i); });
    auto const b = sample("context_scale", [](auto n, auto head, auto i) { return 5 + 2 * noise("a", n, (head + 2) % 6, i) + noise("b", n, head, i); });
    auto const m = lab::match_scales(a, all, b);
    for (auto [mine, other] : m.pairs) BOOST_TEST(mine == (other + 2) % 6);
    BOOST_TEST(m.correlation == 2 / std::sqrt(5.0), boost::test_tools::tolerance(0.05));
    BOOST_TEST(std::abs(m.chance) < 0.2);
    BOOST_TEST(m.p == 1.0 / 101);
    BOOST_TEST(lab::match_scales(a, {1}, b).pairs.front().second == 5);
    BOOST_TEST(lab::match_scales(a, {}, b).pairs.empty());
}

BOOST_AUTO_TEST_CASE(the_largest_of_many_is_not_taken_for_a_find) {
    auto const a = sample("softmax", [](auto n, auto head, auto i) { return noise("a", n, head, i); });
    auto const b = sample("context_scale", [](auto n, auto head, auto i) { return noise("b", n, head, i); });
    auto const m = lab::match_scales(a, all, b);
    BOOST_TEST(m.correlation > 0.02);   // chosen: never 0
    BOOST_TEST(std::abs(m.correlation - m.chance) < 0.05);
    BOOST_TEST(m.p > 0.05);
}

// What both do at each position alone, whatever the context, correlates and says nothing of context.
BOOST_AUTO_TEST_CASE(a_trend_over_positions_is_chance) {
    auto const a = sample("softmax", [](auto n, auto head, auto i) { return static_cast<double>(i) + noise("a", n, head, i); });
    auto const b = sample("context_scale", [](auto n, auto head, auto i) { return static_cast<double>(i) + noise("b", n, head, i); });
    auto const m = lab::match_scales(a, all, b);
    BOOST_TEST(m.correlation > 0.8);
    BOOST_TEST(std::abs(m.correlation - m.chance) < 0.02);
    BOOST_TEST(m.p > 0.05);
}

BOOST_AUTO_TEST_CASE(a_scale_that_never_moves_correlates_with_nothing) {
    auto const a = sample("softmax", [](auto, auto, auto) { return 0.3; });
    BOOST_TEST(lab::match_scales(a, all, a).correlation == 0);
    BOOST_TEST(lab::sinks_of(a).size() == 6U);   // 0.7 of the weight on the first key
    auto other = a;
    other.tokens[0] = 9;
    BOOST_CHECK_THROW(lab::match_scales(a, all, other), lab::error);
}

BOOST_AUTO_TEST_CASE(taken_from_passes_and_read_back) {
    lab::scale_taker taker;
    std::vector<float> pattern, gate;
    for (int i = 0; i < 2 * 2 * 3 * 3; ++i) pattern.push_back(static_cast<float>(i) / 64);
    for (int i = 0; i < 2 * 2 * 3; ++i) gate.push_back(static_cast<float>(i));
    lab::view<float const, 4> const p(pattern.data(), {2, 2, 3, 3});
    lab::view<float const, 3> const g(gate.data(), {2, 2, 3});
    for (int pass = 0; pass < 2; ++pass)
        for (lab::index_t layer = 0; layer < 2; ++layer) taker(lab::site::pattern{}, layer, p), taker(lab::site::gate{}, layer, g);
    auto const s = taker.take("softmax", 4, std::vector<std::int64_t>(12, 1));
    BOOST_TEST((s.implicit.shape() == std::array<lab::index_t, 4>{4, 2, 2, 3}));
    BOOST_TEST(s.implicit(3, 1, 0, 2) == 1 - p(1, 0, 2, 0));
    BOOST_TEST(s.gates(2, 0, 1, 1) == g(0, 1, 1));
    auto const path = std::filesystem::temp_directory_path() / ("attnlab-scales-" + std::to_string(::getpid()) + ".safetensors");
    lab::write_scale_sample(path, s);
    auto const back = lab::read_scale_sample(path);
    std::filesystem::remove(path);
    BOOST_TEST(back.seed == 4);
    BOOST_TEST((back.tokens == s.tokens));
    BOOST_TEST(std::equal(s.gates.data(), s.gates.data() + s.gates.size(), back.gates.data()));
    BOOST_TEST(std::equal(s.implicit.data(), s.implicit.data() + s.implicit.size(), back.implicit.data()));
    BOOST_CHECK_THROW(taker.take("softmax", 4, {1}), lab::error);
}

BOOST_AUTO_TEST_SUITE_END()
