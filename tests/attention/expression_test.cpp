// Formulas as types: lengths, what they mention, degrees.
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/graded.hpp>

BOOST_AUTO_TEST_SUITE(expression)

using namespace attnlab;
using namespace attnlab::expr;

namespace {

constexpr score_symbol s;
constexpr sum_symbol z;
constexpr symbol<source_tag, length::head> o;
constexpr symbol<query_tag, length::head> q;
constexpr symbol<input_tag, length::model> x;
constexpr symbol<length_tag> T;

template <class E>
constexpr int degree(E const&) {
    return degree_of<E>;
}
template <class E>
constexpr bool mixes(E const&) {
    return mixes_degrees<E>;
}
template <class E>
constexpr bool graded_at_all(E const&) {
    return has_degree<E>;
}

// The formula's value at s, z as numbers, by way of graded numbers with reference m: value * e^(degree m).
template <class E>
double value(E const& e, double score, double sum, double m, double row_length = 1) {
    scalar_point<double> const at{score, sum * std::exp(-m), m, std::exp(-m), row_length, 1};
    return evaluate<void>(e, at).value * std::exp(degree_of<E> * m);
}
// d/ds or d/dz in the same way.
template <class Tag, class E>
double derivative(E const& e, double score, double sum, double m) {
    scalar_point<double> const at{score, sum * std::exp(-m), m, std::exp(-m), 1, 1};
    int const by = std::is_same_v<Tag, sum_tag> ? 1 : 0;
    return evaluate<Tag>(e, at).derivative * std::exp((degree_of<E> - by) * m);
}

}  // namespace

BOOST_AUTO_TEST_CASE(lengths_are_read_off) {
    static_assert(length_of<decltype(s + 1)> == length::scalar);
    static_assert(length_of<decltype(2 * o)> == length::head);
    static_assert(length_of<decltype(o + q * dot(x, x))> == length::head);
    static_assert(length_of<decltype(dot(o, q))> == length::scalar);
    static_assert(length_of<decltype(tanh(x))> == length::model);
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(what_a_formula_mentions) {
    static_assert(mentions<score_tag, decltype(exp(s) / z)>);
    static_assert(mentions<sum_tag, decltype(exp(s) / z)>);
    static_assert(!mentions<length_tag, decltype(exp(s) / z)>);
    static_assert(mentions<query_tag, decltype(sigmoid(dot(o, q)) * o)>);
    static_assert(!mentions<input_tag, decltype(sigmoid(dot(o, q)) * o)>);
    static_assert(!mentions<score_tag, decltype(lift(1.0))>);
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(degrees) {
    BOOST_TEST(degree(s) == 0);
    BOOST_TEST(degree(z) == 1);
    BOOST_TEST(degree(exp(s)) == 1);
    BOOST_TEST(degree(exp(T)) == 0);  // does not move with the score
    BOOST_TEST(degree(exp(s) * exp(s)) == 2);
    BOOST_TEST(degree(exp(s) / z) == 0);
    BOOST_TEST(degree(1 + z) == 1);
    BOOST_TEST(degree(exp(s) - 1) == 1);
    BOOST_TEST(degree(relu(exp(s) - 1)) == 1);
    BOOST_TEST(degree(abs(exp(s) - 1)) == 1);
    BOOST_TEST(degree(1 / z) == -1);
    BOOST_TEST(degree(sigmoid(s - log(T))) == 0);
    BOOST_TEST(degree(square(exp(s))) == 2);
    BOOST_TEST(degree(stop_gradient(exp(s))) == 1);
    BOOST_TEST(degree(maximum(exp(s), 1)) == 1);
    BOOST_TEST(degree(clamp(exp(s) / z, 0, 1)) == 0);
    BOOST_TEST(degree(relative(1e-8)) == 1);
}

BOOST_AUTO_TEST_CASE(mixed_degrees_are_seen_at_any_depth) {
    BOOST_TEST(!mixes(exp(s) / z));
    BOOST_TEST(mixes(exp(s) / (1 + z)));
    BOOST_TEST(mixes(relu(exp(s) - 1) / z));
    BOOST_TEST(!mixes(exp(s) + z));
    BOOST_TEST(!graded_at_all(sigmoid(s)));
    BOOST_TEST(graded_at_all(exp(s) / z));  // though its own degree is 0
}

BOOST_AUTO_TEST_CASE(values_do_not_depend_on_the_reference) {
    auto const near = boost::test_tools::tolerance(1e-13);
    for (double m : {0.0, 1.7, -2.0, 30.0}) {
        BOOST_TEST(value(exp(s) / z, 0.4, 3, m) == std::exp(0.4) / 3, near);
        BOOST_TEST(value(exp(s) / (1 + z), 0.4, 3, m) == std::exp(0.4) / 4, near);
        BOOST_TEST(value(exp(s) * exp(s) / z, 0.4, 3, m) == std::exp(0.8) / 3, near);
        BOOST_TEST(value(1 / (2 + z * z), 0.4, 3, m) == 1 / 11.0, near);
        BOOST_TEST(value(-sqrt(exp(s) / z), 0.4, 3, m) == -std::sqrt(std::exp(0.4) / 3), near);
    }
    for (double m : {0.0, 1.7}) {
        BOOST_TEST(value(maximum(exp(s), 1), 0.4, 3, m) == std::exp(0.4), near);
        BOOST_TEST(value(maximum(exp(s), 1), -0.4, 3, m) == 1, near);
        BOOST_TEST(value(minimum(exp(s), 1), -0.4, 3, m) == std::exp(-0.4), near);
        BOOST_TEST(value(square(exp(s)) / z, 0.4, 3, m) == std::exp(0.8) / 3, near);
    }
    // x e^m: beside Z e^-m it is x itself.
    BOOST_TEST(value(exp(s) / (z + relative(0.5)), 0.4, 3, 0) == std::exp(0.4) / 3.5, near);
    BOOST_TEST(value(exp(s) / (z + relative(0.5)), 0.4, 3, 2) == std::exp(0.4) / (3 + 0.5 * std::exp(2)), near);
    BOOST_TEST(value(relu(exp(s) - 1), 0.4, 3, 1) == std::exp(0.4) - 1, near);
    BOOST_TEST(value(relu(exp(s) - 1), -0.4, 3, 1) == 0);
    BOOST_TEST(value(sigmoid(s - log(T)), 0.4, 3, 0, 7) == 1 / (1 + 7 * std::exp(-0.4)), near);
}

BOOST_AUTO_TEST_CASE(large_scores_stay_finite) {
    scalar_point<double> const at{1e4, 3, 1e4, 0, 1, 1};  // Z e^-m = 3
    BOOST_TEST(evaluate<void>(exp(s) / z, at).value == 1 / 3.0, boost::test_tools::tolerance(1e-13));
    BOOST_TEST(evaluate<void>(exp(s) / (1 + z), at).value == 1 / 3.0, boost::test_tools::tolerance(1e-13));
}

BOOST_AUTO_TEST_CASE(derivatives_by_score_and_by_sum) {
    auto const near = boost::test_tools::tolerance(1e-12);
    double const e = std::exp(0.4);
    for (double m : {0.0, 1.7, -2.0}) {
        BOOST_TEST(derivative<score_tag>(exp(s) / z, 0.4, 3, m) == e / 3, near);
        BOOST_TEST(derivative<sum_tag>(exp(s) / z, 0.4, 3, m) == -e / 9, near);
        BOOST_TEST(derivative<sum_tag>(exp(s) / (1 + z), 0.4, 3, m) == -e / 16, near);
        BOOST_TEST(derivative<score_tag>(exp(s) / (exp(s) + z), 0.4, 3, m) == 3 * e / ((3 + e) * (3 + e)), near);
        BOOST_TEST(derivative<score_tag>(s * s - s, 0.4, 3, m) == -0.2, near);
        BOOST_TEST(derivative<sum_tag>(z * z, 0.4, 3, m) == 6, near);
        BOOST_TEST(derivative<sum_tag>(2 - z, 0.4, 3, m) == -1, near);
        BOOST_TEST(derivative<score_tag>(maximum(exp(s), 1), 0.4, 3, m) == e, near);
        BOOST_TEST(derivative<score_tag>(maximum(exp(s), 2), 0.4, 3, m) == 0);
        BOOST_TEST(derivative<score_tag>(minimum(s, 1) * 3, 0.4, 3, m) == 3, near);
        BOOST_TEST(derivative<score_tag>(clamp(s, -1, 0.2), 0.4, 3, m) == 0);
        BOOST_TEST(derivative<score_tag>(s * stop_gradient(s), 0.4, 3, m) == 0.4, near);
        BOOST_TEST(derivative<sum_tag>(exp(s) / (z + relative(0)), 0.4, 3, m) == -e / 9, near);
    }
}

BOOST_AUTO_TEST_CASE(what_does_not_vary_has_no_derivative) {
    scalar_point<double> const at{0.4, 3, 0, 1, 1, 1};
    static_assert(!decltype(evaluate<sum_tag>(exp(s), at))::varies);
    static_assert(decltype(evaluate<score_tag>(exp(s), at))::varies);
    static_assert(!decltype(evaluate<void>(exp(s) / z, at))::varies);
    BOOST_TEST(evaluate<score_tag>(exp(s), at).derivative == std::exp(0.4));
}

// The table of functions: values as <cmath>, derivatives as differences; kinks as stated.
template <class Op>
void check_function(double (*expected)(double), double at) {
    double const h = 1e-6, y = Op::template value<double>(at);
    BOOST_TEST(y == expected(at), boost::test_tools::tolerance(1e-14));
    BOOST_TEST(Op::template derivative<double>(at, y) == (expected(at + h) - expected(at - h)) / (2 * h),
               boost::test_tools::tolerance(1e-7));
}
BOOST_AUTO_TEST_CASE(functions_and_their_derivatives) {
    for (double at : {0.3, 1.9}) {
        check_function<exp_op>([](double a) { return std::exp(a); }, at);
        check_function<log_op>([](double a) { return std::log(a); }, at);
        check_function<sqrt_op>([](double a) { return std::sqrt(a); }, at);
        check_function<tanh_op>([](double a) { return std::tanh(a); }, -at);
        check_function<sigmoid_op>([](double a) { return 1 / (1 + std::exp(-a)); }, -at);
        for (double sign : {1.0, -1.0}) {
            check_function<relu_op>([](double a) { return a > 0 ? a : 0; }, sign * at);
            check_function<abs_op>([](double a) { return std::abs(a); }, sign * at);
        }
    }
    for (double at : {0.3, -1.9}) {
        check_function<softplus_op>([](double a) { return std::log1p(std::exp(a)); }, at);
        check_function<square_op>([](double a) { return a * a; }, at);
    }
    BOOST_TEST(stop_gradient_op::value(1.5) == 1.5);
    BOOST_TEST(stop_gradient_op::derivative(1.5, 1.5) == 0);
    BOOST_TEST(relu_op::derivative(0.0, 0.0) == 0);
    BOOST_TEST(abs_op::derivative(0.0, 0.0) == 0);
    BOOST_TEST(std::isnan(relu_op::value(std::nan(""))));
    BOOST_TEST(sigmoid_op::value(-1e5) == 0);
    BOOST_TEST(sigmoid_op::value(1e5) == 1);
}

BOOST_AUTO_TEST_CASE(softplus_at_its_ends) {
    BOOST_TEST(softplus_op::value(1e5) == 1e5);
    BOOST_TEST(softplus_op::value(-1e5) == 0);
    BOOST_TEST(softplus_op::derivative(1e5, 1e5) == 1);
    BOOST_TEST(softplus_op::derivative(-1e5, 0.0) == 0);
    BOOST_TEST(std::isnan(softplus_op::value(std::nan(""))));
}

BOOST_AUTO_TEST_CASE(maximum_and_minimum_at_ties_infinities_and_nan) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    using adjoints = std::pair<double, double>;
    BOOST_TEST(maximum_op::value(2.0, 3.0) == 3);
    BOOST_TEST(maximum_op::value(3.0, 2.0) == 3);
    BOOST_TEST(minimum_op::value(2.0, 3.0) == 2);
    BOOST_TEST(minimum_op::value(3.0, 2.0) == 2);
    BOOST_TEST((maximum_op::pull(5.0, 2.0, 3.0, 3.0) == adjoints{0, 5}));
    BOOST_TEST((minimum_op::pull(5.0, 2.0, 3.0, 2.0) == adjoints{5, 0}));
    // A tie goes to the first.
    BOOST_TEST(maximum_op::value(2.0, 2.0) == 2);
    BOOST_TEST(minimum_op::value(2.0, 2.0) == 2);
    BOOST_TEST((maximum_op::pull(5.0, 2.0, 2.0, 2.0) == adjoints{5, 0}));
    BOOST_TEST((minimum_op::pull(5.0, 2.0, 2.0, 2.0) == adjoints{5, 0}));
    for (double sign : {1.0, -1.0}) {
        BOOST_TEST(maximum_op::value(sign * infinity, 1.0) == (sign > 0 ? infinity : 1));
        BOOST_TEST(minimum_op::value(sign * infinity, 1.0) == (sign > 0 ? 1 : -infinity));
    }
    double const nan = std::nan("");
    BOOST_TEST(std::isnan(maximum_op::value(nan, 1.0)));
    BOOST_TEST(std::isnan(maximum_op::value(1.0, nan)));
    BOOST_TEST(std::isnan(minimum_op::value(nan, 1.0)));
    BOOST_TEST(std::isnan(minimum_op::value(1.0, nan)));
}

BOOST_AUTO_TEST_CASE(a_clamp_passes_the_gradient_at_its_ends) {
    for (double at : {-1.0, 0.3, 2.0}) BOOST_TEST(derivative<score_tag>(clamp(s, -1, 2), at, 1, 0) == 1);
    for (double at : {-1.1, 2.1}) BOOST_TEST(derivative<score_tag>(clamp(s, -1, 2), at, 1, 0) == 0);
    BOOST_TEST(value(clamp(s, -1, 2), -5, 1, 0) == -1);
    BOOST_TEST(value(clamp(s, -1, 2), 5, 1, 0) == 2);
}

BOOST_AUTO_TEST_SUITE_END()
