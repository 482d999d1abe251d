// Weights taken apart: which separate into f(s) g(z), and what is known before a row is walked.
#include <cmath>
#include <type_traits>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/weighting.hpp>

BOOST_AUTO_TEST_SUITE(weighting)

using namespace attnlab;
using namespace attnlab::expr;

namespace {

constexpr score_symbol s;
constexpr sum_symbol z;
constexpr symbol<length_tag> T;
constexpr symbol<visible_tag> n;

template <class E>
constexpr bool separates(E const& e) {
    return decltype(separate(e))::separates;
}
// f(s) g(z) by graded numbers of degrees that cancel.
template <class E>
double product(E const& e, double score, double sum, double m) {
    auto const f = separate(e);
    scalar_point<double> const at{score, sum * std::exp(-m), m, std::exp(-m), 1, 1};
    return evaluate<void>(f.of_score, at).value * evaluate<void>(f.of_sum, at).value;
}

}  // namespace

BOOST_AUTO_TEST_CASE(which_weights_separate) {
    BOOST_TEST(separates(exp(s) / z));
    BOOST_TEST(separates(exp(s) / (1 + z)));
    BOOST_TEST(separates(relu(exp(s) - 1) / (z + 1e-6)));
    BOOST_TEST(separates(2 * exp(s) * (1 / z)));
    BOOST_TEST(separates(sigmoid(s)));
    BOOST_TEST(separates(1 / z * s / (2 + z)));
    BOOST_TEST(!separates(relu(exp(s) / z - 0.1)));  // clipped softmax
    BOOST_TEST(!separates(exp(s) / (exp(s) + z)));
    BOOST_TEST(!separates(exp(s) / z + 1));
    BOOST_TEST(!separates(2 * relu(exp(s) / z - 0.1)));
}

BOOST_AUTO_TEST_CASE(the_factors_make_the_weight) {
    auto const near = boost::test_tools::tolerance(1e-13);
    for (double m : {0.0, 2.5}) {
        double const e = std::exp(0.7);
        BOOST_TEST(product(exp(s) / z, 0.7, 3, m) == e / 3, near);
        BOOST_TEST(product(exp(s) / (1 + z), 0.7, 3, m) == e / 4, near);
        BOOST_TEST(product(2 * exp(s) * (1 / z), 0.7, 3, m) == 2 * e / 3, near);
        BOOST_TEST(product(1 / (z / exp(s)), 0.7, 3, m) == e / 3, near);
        BOOST_TEST(product(exp(s) / z / 5, 0.7, 3, m) == e / 15, near);
    }
    BOOST_TEST(product(sigmoid(s), 0.7, 3, 0) == 1 / (1 + std::exp(-0.7)), near);
}

BOOST_AUTO_TEST_CASE(softmax_has_its_summand_for_a_factor) {
    static_assert(std::is_same_v<decltype(separate(exp(s) / z).of_score), decltype(exp(s))>);
    static_assert(std::is_same_v<decltype(separate(sigmoid(s)).of_sum), unit>);
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(what_depends_on_the_row_alone_is_settled_once) {
    auto const formula = sigmoid(s - log(T));
    auto const settled = settle<float>(formula, row_lengths{37, 12});
    static_assert(!mentions<length_tag, decltype(settled)>);
    static_assert(std::is_same_v<decltype(settled), unary<sigmoid_op, binary<subtract_op, score_symbol, known<float>>> const>);
    BOOST_TEST(settled.a.b.value == std::log(37.0f), boost::test_tools::tolerance(1e-6f));
    // The length of the point is not read any more.
    scalar_point<float> const at{0.5f, 0, 0, 1, 1e9f, 1e9f};
    BOOST_TEST(evaluate<void>(settled, at).value == 1 / (1 + 37 * std::exp(-0.5f)), boost::test_tools::tolerance(1e-6f));
    // Without a length nothing changes.
    static_assert(std::is_same_v<decltype(settle<float>(exp(s), row_lengths{37, 12})), std::remove_cvref_t<decltype(exp(s))>>);
}

BOOST_AUTO_TEST_CASE(constants_inside_a_settled_formula_are_kept) {
    auto const settled = settle<double>((s + 2) * (T / n), row_lengths{10, 4});
    scalar_point<double> const at{0.5, 0, 0, 1, 0, 0};
    BOOST_TEST(evaluate<void>(settled, at).value == 2.5 * 2.5);
}

BOOST_AUTO_TEST_SUITE_END()
