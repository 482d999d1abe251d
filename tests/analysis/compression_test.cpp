// Quantisation and pruning: exact small cases, and that weights come back.
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/compression.hpp>

BOOST_AUTO_TEST_SUITE(compression_rules)

namespace {

using namespace attnlab;
using numbers = std::vector<float>;

float const infinite = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();

numbers quantised(numbers x, int bits) {
    quantise(std::span(x), bits);
    return x;
}
numbers pruned(numbers x, double fraction) {
    prune(std::span(x), fraction);
    return x;
}
void expect(numbers const& found, numbers const& expected) { BOOST_TEST(found == expected, boost::test_tools::per_element()); }

}  // namespace

BOOST_AUTO_TEST_CASE(quantise_rounds_to_the_grid_of_the_largest_magnitude) {
    expect(quantised({-7, 6.4f, 0.6f, -0.4f, 3}, 4), {-7, 6, 1, 0, 3});   // 4 bits: -7 ... 7
    expect(quantised({127, 126.6f, -0.6f}, 8), {127, 127, -1});
    expect(quantised({1, 0.6f, 0.4f, -0.6f}, 2), {1, 1, 0, -1});
    expect(quantised({-3.5f, 1.2f}, 4), {-3.5f, 1});                      // steps of a half
}

BOOST_AUTO_TEST_CASE(quantise_takes_halves_to_the_even_multiple) {
    expect(quantised({7, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f}, 4), {7, 0, 2, 2, 0, -2, -2});
}

BOOST_AUTO_TEST_CASE(quantise_keeps_the_largest_and_what_has_no_grid) {
    expect(quantised({}, 8), {});
    expect(quantised({0, -0.0f, 0}, 8), {0, -0.0f, 0});
    for (float one : {0.3f, -1e-45f, 3.4e38f, 1.1754944e-38f})
        for (int bits : {2, 4, 8, 16}) expect(quantised({one}, bits), {one});
    std::vector<double> least{5e-324};
    quantise(std::span(least), 8);
    BOOST_TEST(least[0] == 5e-324);
}

BOOST_AUTO_TEST_CASE(quantise_twice_is_quantise_once) {
    numbers x;
    for (int i = 0; i < 1000; ++i) x.push_back(std::sin(static_cast<float>(i * i)));
    for (int bits : {2, 4, 8, 16}) {
        auto const once = quantised(x, bits);
        expect(quantised(once, bits), once);
        double const half_step = 0.5 / ((1 << (bits - 1)) - 1);
        for (std::size_t i = 0; i < x.size(); ++i) BOOST_TEST(std::abs(once[i] - x[i]) <= half_step + 1e-7);
    }
}

BOOST_AUTO_TEST_CASE(quantise_leaves_what_is_not_finite) {
    auto const x = quantised({nan, infinite, 7, 0.6f, -infinite}, 4);
    BOOST_TEST(std::isnan(x[0]));
    expect({x.begin() + 1, x.end()}, {infinite, 7, 1, -infinite});
    auto const none = quantised({nan, infinite}, 4);
    BOOST_TEST(std::isnan(none[0]));
    BOOST_TEST(none[1] == infinite);
}

BOOST_AUTO_TEST_CASE(prune_takes_the_least_and_of_equals_the_first) {
    expect(pruned({3, -1, 2, -4}, 0.5), {3, 0, 0, -4});
    expect(pruned({1, -1, 1, 1}, 0.5), {0, 0, 1, 1});
    expect(pruned({5, 1, 2}, 0.5), {5, 0, 0});        // 1.5 numbers: 2, to even
    expect(pruned({5, 1, 2, 3, 4}, 0.5), {5, 0, 0, 3, 4});   // 2.5: 2
    expect(pruned({1, 2}, 0), {1, 2});
    expect(pruned({1, 2}, 1), {0, 0});
    expect(pruned({}, 0.7), {});
    expect(pruned({-3}, 0.7), {0});
    expect(pruned({-3}, 0.5), {-3});   // half a number: none
    expect(pruned({0, 0, 0}, 0.7), {0, 0, 0});
}

BOOST_AUTO_TEST_CASE(prune_takes_what_is_not_finite_last) {
    auto const x = pruned({nan, 1, -infinite, 2}, 0.5);
    BOOST_TEST(std::isnan(x[0]));
    expect({x.begin() + 1, x.end()}, {0, -infinite, 0});
}

BOOST_AUTO_TEST_CASE(wrong_bits_and_fractions_are_named) {
    numbers x{1};
    for (int bits : {-1, 0, 1, 17}) BOOST_CHECK_THROW(quantise(std::span(x), bits), usage_error);
    for (double fraction : {-0.1, 1.1, std::nan("")}) BOOST_CHECK_THROW(prune(std::span(x), fraction), usage_error);
}

BOOST_AUTO_TEST_CASE(weights_are_compressed_each_by_itself_and_come_back) {
    parameter_list<float> all;
    auto *a = all.add("a", {2, 2}, zeros), *b = all.add("b", {3}, zeros), *other = all.add("other", {1, 1}, zeros);
    all.allocate();
    numbers const first{7, 0.6f, -0.1f, 3}, second{70, nan, -0.0f};
    std::copy(first.begin(), first.end(), a->value.begin());
    std::copy(second.begin(), second.end(), b->value.begin());
    other->value[0] = 0.123f;
    {
        compressed_weights const edit(std::vector{a, b}, {.weight_bits = 4, .pruned = 0.5});
        expect({a->value.begin(), a->value.end()}, {7, 0, 0, 3});   // both of its least are gone before the grid is laid
        BOOST_TEST(b->value[0] == 0);   // two of three, and NaN goes last
        BOOST_TEST(std::isnan(b->value[1]));
        BOOST_TEST(other->value[0] == 0.123f);
    }
    expect({a->value.begin(), a->value.end()}, first);
    BOOST_TEST(b->value[0] == 70);
    BOOST_TEST(std::isnan(b->value[1]));
    BOOST_TEST(std::signbit(b->value[2]));
    BOOST_CHECK_THROW(compressed_weights(std::vector{a, b}, {.weight_bits = 1, .pruned = 0.5}), usage_error);
    expect({a->value.begin(), a->value.end()}, first);
}

BOOST_AUTO_TEST_CASE(the_schemes_compared) {
    std::string names;
    for (auto const& c : compressions()) names += c.name + ",";
    BOOST_TEST(names == "W8A8,W8,W4,A8,A4,prune50,prune70,");
    BOOST_TEST(description(compressions()[0]) == "weights on an AbsMax grid of 8 bits, inputs on an AbsMax grid of 8 bits");
}

BOOST_AUTO_TEST_SUITE_END()
