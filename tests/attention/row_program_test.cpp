// Formulas of joints executed on one row, against their formulas written by hand.
#include <algorithm>
#include <cmath>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/rope.hpp>
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

/// Which formula of a policy is executed.
struct output_formula {
    template <class Policy>
    static constexpr auto of = Policy::output;
};
struct query_formula {
    template <class Policy>
    static constexpr auto of = Policy::query;
};
/// A row with storage for all that a program may read and write.
template <class Policy, class Formula = output_formula>
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
        p.source = output.data(), p.query = query.data(), p.input = input.data();
        p.log_normalizer = log_normalizer[0], p.scale = 0.4;
        p.d_source = d_output.data(), p.d_query = d_query.data(), p.d_input = d_input.data();
        p.values = values.data(), p.gradients = gradients.data();
        p.head_size = D, p.width = C, p.position = 3;
        auto program = program_of<one_lane<double>, Policy>(Formula::template of<Policy>);
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
template <class Policy, class Formula = output_formula>
void check_gradients() {
    owned_row<Policy, Formula> r;
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

/// The functions that the policies of the library use in few places.
struct bounded {
    struct parameters {
        head_vector<"a"> a{normal(1)};
        head_scalar<"b"> b{normal(1)};
    };
    static constexpr auto output(auto const& row, auto const& p) {
        return softplus(p.a) * maximum(row.output, p.b) + square(minimum(row.output, row.query)) - clamp(p.a, -0.5, 0.5);
    }
};
struct stopped {
    static constexpr auto output(auto const& row) { return row.output * stop_gradient(row.output); }
};
struct turned {
    static constexpr auto query(auto const& row) { return rotate(square(row.query), rope_frequencies<10000, 4, false>{}); }
};
struct looked {
    struct parameters {
        head_table<"table", 3> table{zeros};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        return s + lookup(p.table, at.distance, [](index_t d) { return d / 2; });
    }
};
struct gated {
    struct parameters {
        head_map<"map"> map{zeros};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        auto const c = cumulative_sum(sigmoid(dot(at.input, p.map)));
        return s + c.at_query() - 2 * c.at_key();
    }
};

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

BOOST_AUTO_TEST_CASE(functions_with_bounds) {
    using policy = attention<softmax, bounded>;
    owned_row<policy> r;
    auto const &a = r.parameters[0], &b = r.parameters[1];
    check_values(r.forward(), [&](std::size_t i) {
        double const least = std::min(r.output[i], r.query[i]);
        return std::log1p(std::exp(a[i])) * std::max(r.output[i], b[0]) + least * least - std::clamp(a[i], -0.5, 0.5);
    });
    check_gradients<policy>();
}

BOOST_AUTO_TEST_CASE(a_stopped_gradient_is_a_constant_on_the_way_back) {
    owned_row<attention<softmax, stopped>> r;
    r.backward(std::vector<double>(D, 1));
    for (std::size_t i = 0; i < D; ++i) BOOST_TEST(r.d_output[i] == r.output[i]);
}

BOOST_AUTO_TEST_CASE(rotated_rows) {
    using policy = attention<turned, softmax>;
    owned_row<policy, query_formula> r;
    auto const y = r.forward();
    for (std::size_t p = 0; p < 2; ++p) {
        double const angle = 3 * std::pow(10000.0, -0.5 * static_cast<double>(p)), c = std::cos(angle), s = std::sin(angle);
        double const x = r.output[p] * r.output[p], x2 = r.output[p + 2] * r.output[p + 2];
        BOOST_TEST(y[p] == x * c - x2 * s, boost::test_tools::tolerance(1e-12));
        BOOST_TEST(y[p + 2] == x2 * c + x * s, boost::test_tools::tolerance(1e-12));
    }
    BOOST_TEST(y[4] == r.output[4] * r.output[4]);   // beyond the channels that turn
    check_gradients<policy, query_formula>();
}

BOOST_AUTO_TEST_CASE(tables_by_distance) {
    using policy = attention<looked, causal, softmax>;
    std::vector<double> const raw{1, 2, 3, 4, 5, 6, 7, 8}, dy{1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7};
    std::vector<double> table{0.5, 0.25, -1}, d_table(3), d_raw(8), y(8);
    double const* values = table.data();
    double* gradients = d_table.data();
    row_point<double> p;
    p.source = raw.data(), p.d_source = d_raw.data(), p.scale = 0.5, p.values = &values, p.gradients = &gradients;
    p.position = 9, p.first_key = 2, p.keys = 8;   // distances 7 .. 0
    std::vector<std::size_t> const bucket{2, 2, 2, 2, 1, 1, 0, 0};   // 3 and beyond are kept within the table
    {
        auto program = program_of<one_lane<double>, policy>(policy::score);
        program.forward(p, y.data());
        for (std::size_t j = 0; j < 8; ++j) BOOST_TEST(y[j] == 0.5 * raw[j] + table[bucket[j]]);
        program.backward(p, dy.data());
        for (std::size_t j = 0; j < 8; ++j) BOOST_TEST(d_raw[j] == 0.5 * dy[j]);
    }   // a table's gradient is passed on when its program goes
    BOOST_TEST(d_table == (std::vector<double>{1.1e7, 1.1e5, 1111}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(numbers_of_tokens) {
    using policy = attention<gated, causal, softmax>;
    static_assert(policy::has_tokens && decltype(policy::tokens)::scan && !attention<causal, softmax>::has_tokens);
    static_assert(expr::only_token_number(policy::score, policy::tokens));
    // Two formulas of one type that hold different numbers are two.
    constexpr expr::symbol<expr::scale_tag> x;
    constexpr auto both = per_token(2 * x).at_query() + per_token(3 * x).at_key();
    static_assert(!expr::only_token_number(both, expr::token_formula(both)));
    static_assert(!expr::only_token_number(per_token(x).at_query() + cumulative_sum(x).at_key(), per_token(x).at_query()));

    std::vector<double> const raw{1, 2, 3}, tokens{0.5, 1, 2, 4}, dy{1, 10, 100};
    std::vector<double> d_raw(3), d_tokens(4), y(3);
    row_point<double> p;
    p.source = raw.data(), p.d_source = d_raw.data(), p.tokens = tokens.data(), p.d_query_tokens = p.d_key_tokens = d_tokens.data();
    p.position = 3, p.first_key = 1, p.keys = 3;
    auto program = program_of<one_lane<double>, policy>(policy::score);
    program.forward(p, y.data());
    for (std::size_t j = 0; j < 3; ++j) BOOST_TEST(y[j] == raw[j] + 4 - 2 * tokens[j + 1]);
    program.backward(p, dy.data());
    BOOST_TEST(d_tokens == (std::vector<double>{0, -2, -20, 111 - 200}), boost::test_tools::per_element());
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
