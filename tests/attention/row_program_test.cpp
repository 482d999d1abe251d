// Output joints executed on one row, against their formulas written by hand.
#include <array>
#include <cmath>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/row_program.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/value_bias.hpp>
#include <attnlab/core/gradient_check.hpp>
#include <attnlab/core/rng.hpp>

#include "kernels/joints.hpp"

// The suite is named apart: attnlab::row_program is a class.
BOOST_AUTO_TEST_SUITE(row_programs)

using namespace attnlab;

namespace {

constexpr std::size_t D = 5, C = 7;

/// A row with storage for all that a program may read and write.
template <class Policy>
struct owned_row {
    std::vector<double> output = numbers(D, 1), query = numbers(D, 2), input = numbers(C, 3), log_normalizer = {0.8};
    std::vector<std::vector<double>> parameters;
    std::vector<double> d_output = std::vector<double>(D), d_query = std::vector<double>(D), d_input = std::vector<double>(C),
                        d_log_normalizer = {0};
    std::vector<std::vector<double>> d_parameters;

    owned_row() {
        std::uint64_t seed = 4;
        auto const add = [&](auto const& e) {
            parameters.push_back(numbers(static_cast<std::size_t>(e.per_head({1, D, C})), seed++));
            d_parameters.emplace_back(parameters.back().size());
        };
        std::apply([&](auto const&... e) { (add(e), ...); }, Policy::parameters);
    }
    static std::vector<double> numbers(std::size_t n, std::uint64_t seed) {
        std::vector<double> out;
        for (std::size_t i = 0; i < n; ++i) out.push_back(rng::normal(rng::stream(seed, "row"), i));
        return out;
    }
    std::vector<double> forward() {
        return with_point([](auto& p, auto& program) {
            std::vector<double> y(D);
            program.forward(p, y.data());
            return y;
        });
    }
    void backward(std::vector<double> const& dy) {
        with_point([&](auto& p, auto& program) {
            program.backward(p, dy.data());
            d_log_normalizer[0] = p.d_log_normalizer;
            return 0;
        });
    }
    double slot() {
        return with_point([](auto& p, auto&) { return slot_share<one_lane<double>, Policy>(p); });
    }

private:
    template <class Use>
    auto with_point(Use use) {
        std::vector<double const*> values;
        std::vector<double*> gradients;
        for (auto& v : parameters) values.push_back(v.data());
        for (auto& v : d_parameters) gradients.push_back(v.data());
        row_point<double> p;
        p.output = output.data(), p.query = query.data(), p.input = input.data();
        p.log_normalizer = log_normalizer[0], p.scale = 0.4;
        p.d_output = d_output.data(), p.d_query = d_query.data(), p.d_input = d_input.data();
        p.values = values.data(), p.gradients = gradients.data();
        p.head_size = D, p.width = C;
        row_program<one_lane<double>, Policy> program;
        return use(p, program);
    }
};

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double product(std::vector<double> const& a, std::vector<double> const& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}
template <class Formula>
void check_values(std::vector<double> const& y, Formula formula) {
    for (std::size_t i = 0; i < D; ++i) BOOST_TEST(y[i] == formula(i), boost::test_tools::tolerance(1e-12));
}

/// The program's gradients against differences of the program.
template <class Policy>
void check_gradients() {
    owned_row<Policy> r;
    auto const dy = owned_row<Policy>::numbers(D, 99);
    r.backward(dy);
    auto const f = [&] { return product(r.forward(), dy); };
    std::vector<checked_array> arrays{{"output", r.output, r.d_output},
                                      {"query", r.query, r.d_query},
                                      {"input", r.input, r.d_input},
                                      {"log_normalizer", r.log_normalizer, r.d_log_normalizer}};
    for (std::size_t i = 0; i < r.parameters.size(); ++i) arrays.push_back({"parameter", r.parameters[i], r.d_parameters[i]});
    auto const report = check_gradient(f, arrays);
    BOOST_TEST_CONTEXT(report.line()) BOOST_TEST(report.worst < 1e-7);
}

using no_joint = attention<softmax>;
using bias = attention<softmax, value_bias>;
using context = attention<softmax, context_bias>;
using slot = attention<softmax, attention_bias>;
using scale = attention<softmax, context_scale>;
using chain = attention<softmax, attention_bias, context_scale>;
using everything = attention<softmax, testing::all_functions>;

}  // namespace

BOOST_AUTO_TEST_CASE(values_are_the_formulas) {
    owned_row<no_joint> n;
    check_values(n.forward(), [&](std::size_t i) { return n.output[i]; });
    owned_row<bias> b;
    check_values(b.forward(), [&](std::size_t i) { return b.output[i] + b.parameters[0][i]; });
    owned_row<context> c;
    double const p0 = logistic(0.4 * product(c.query, c.parameters[0]) - 0.8);
    check_values(c.forward(), [&](std::size_t i) { return c.output[i] + p0 * c.parameters[1][i]; });
    owned_row<slot> a;
    check_values(a.forward(), [&](std::size_t i) { return (1 - p0) * a.output[i] + p0 * a.parameters[1][i]; });
    BOOST_TEST(a.slot() == p0, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(c.slot() == 0);
    owned_row<scale> s;
    double const factor = 2 * logistic(product(s.input, s.parameters[0]) + s.parameters[1][0]);
    check_values(s.forward(), [&](std::size_t i) { return factor * s.output[i]; });
}

BOOST_AUTO_TEST_CASE(joints_in_sequence_read_what_the_one_before_made) {
    owned_row<chain> r;
    double const p0 = logistic(0.4 * product(r.query, r.parameters[0]) - 0.8);
    double const factor = 2 * logistic(product(r.input, r.parameters[2]) + r.parameters[3][0]);
    check_values(r.forward(), [&](std::size_t i) { return factor * ((1 - p0) * r.output[i] + p0 * r.parameters[1][i]); });
}

BOOST_AUTO_TEST_CASE(every_function_of_the_language) {
    owned_row<everything> r;
    auto const& p = r.parameters;
    double const number = std::log(2 + std::abs(p[2][0] - std::tanh(0.8))) / 3, inner = product(r.output, r.query);
    check_values(r.forward(), [&](std::size_t i) {
        double const gate = std::tanh(r.query[i] + p[0][i]) / std::sqrt(1 + std::exp(p[1][i] * 0.4));
        return gate * r.output[i] - number * std::max(p[1][i] - 0.5, 0.0) - p[0][i] * logistic(inner);
    });
}

BOOST_AUTO_TEST_CASE(gradients_are_differences) {
    check_gradients<no_joint>();
    check_gradients<bias>();
    check_gradients<context>();
    check_gradients<slot>();
    check_gradients<scale>();
    check_gradients<chain>();
    check_gradients<everything>();
}

BOOST_AUTO_TEST_CASE(gradients_are_added_to) {
    owned_row<scale> once, twice;
    auto const dy = owned_row<scale>::numbers(D, 99);
    once.backward(dy);
    twice.backward(dy), twice.backward(dy);
    for (std::size_t i = 0; i < D; ++i) BOOST_TEST(twice.d_output[i] == 2 * once.d_output[i]);
    for (std::size_t i = 0; i < C; ++i) BOOST_TEST(twice.d_input[i] == 2 * once.d_input[i]);
    BOOST_TEST(twice.d_parameters[1][0] == 2 * once.d_parameters[1][0]);
    BOOST_TEST(once.d_parameters[1][0] != 0);
}

BOOST_AUTO_TEST_SUITE_END()
