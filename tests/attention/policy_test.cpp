// A policy as a list of joints: which joint is which, parameters, slots, lengths.
#include <array>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/sparsemax.hpp>
#include <attnlab/attention/value_bias.hpp>

BOOST_AUTO_TEST_SUITE(policy)

using namespace attnlab;

namespace {

struct none {};
struct four {
    head_vector<"a"> a{normal(1)};
    head_scalar<"b"> b{ones};
    head_map<"c"> c{from_model};
    merged_vector<"d"> d{};
};

struct twice {
    static constexpr auto score(auto s) { return 2 * s; }
};
struct times_arguments {
    static constexpr auto score(auto s, auto... rest) { return static_cast<double>(sizeof...(rest)) * s; }
};

template <class P>
std::vector<std::string> names() {
    return {P::parameter_names.begin(), P::parameter_names.end()};
}
using list = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(members_of_a_struct_are_a_tuple) {
    static_assert(std::tuple_size_v<decltype(members(none{}))> == 0);
    auto const m = members(four{});
    static_assert(
        std::is_same_v<decltype(m), std::tuple<head_vector<"a">, head_scalar<"b">, head_map<"c">, merged_vector<"d">> const>);
    BOOST_TEST(std::get<0>(m).init.deviation == 1);
    BOOST_TEST(std::get<1>(m).init.mean == 1);
    BOOST_TEST(std::get<2>(m).init.deviation == from_model.deviation);
    BOOST_TEST(std::get<3>(m).init.mean == 0);
}

BOOST_AUTO_TEST_CASE(shapes_of_parameters) {
    head_sizes const n{3, 4, 12};
    BOOST_TEST((head_vector<"a">::shape(n) == std::vector<index_t>{1, 3, 1, 4}));
    BOOST_TEST((merged_vector<"a">::shape(n) == std::vector<index_t>{12}));
    BOOST_TEST((head_map<"a">::shape(n) == std::vector<index_t>{3, 12}));
    BOOST_TEST((head_scalar<"a">::shape(n) == std::vector<index_t>{3}));
    BOOST_TEST(head_vector<"a">::per_head(n) == 4);
    BOOST_TEST(head_map<"a">::per_head(n) == 12);
    BOOST_TEST(head_scalar<"a">::per_head(n) == 1);
}

BOOST_AUTO_TEST_CASE(joints_are_found_in_any_order) {
    using p = attention<attention_bias, softmax, causal>;
    static_assert(std::is_same_v<p::mask, causal>);
    static_assert(std::is_same_v<p::weighting, softmax>);
    static_assert(p::has_output && p::has_sum && p::has_slot && !p::reads_length);
    using q = attention<sigmoid_attention>;
    static_assert(!q::has_output && !q::has_sum && !q::has_slot && q::reads_length);
    BOOST_TEST(q::mask::keys(3, 9).end == 9);
}

BOOST_AUTO_TEST_CASE(parameters_in_order_of_the_joints) {
    BOOST_TEST((names<attention<causal, softmax>>() == list{}));
    BOOST_TEST((names<attention<causal, softmax, value_bias>>() == list{"v_bias"}));
    BOOST_TEST((names<attention<causal, softmax, context_bias>>() == list{"k_bias", "v_bias"}));
    using chain = attention<causal, softmax, attention_bias, context_scale>;
    BOOST_TEST((names<chain>() == list{"k_bias", "v_bias", "context_scale.0.weight", "context_scale.0.bias"}));
    BOOST_TEST(chain::position_of("context_scale.0.bias") == 3u);
    BOOST_TEST(chain::position_of("no such") == chain::parameter_count);
}

BOOST_AUTO_TEST_CASE(the_six_policies_say_what_they_read) {
    using scale = attention<causal, softmax, context_scale>;
    static_assert(expr::mentions<expr::input_tag, std::remove_const_t<decltype(scale::output)>>);
    static_assert(!scale::reads_log_normalizer);
    using context = attention<causal, softmax, context_bias>;
    static_assert(context::reads_log_normalizer);
    static_assert(!context::has_slot);  // p0 v' is added; the keys keep their weights
    static_assert(attention<causal, softmax, attention_bias>::has_slot);
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(thresholds_are_neither_sums_nor_one_pass) {
    using p = attention<causal, sparsemax>;
    static_assert(p::has_threshold && !p::has_sum && !p::one_pass && !p::has_output);
    static_assert(expr::mentions<expr::threshold_tag, std::remove_const_t<decltype(p::weight)>>);
    static_assert(attention<causal, entmax15>::has_threshold);
    static_assert(!attention<causal, softmax>::has_threshold && attention<causal, softmax>::one_pass);
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(trailing_arguments_may_be_left_out) {
    using p = attention<twice, causal, softmax>;
    static_assert(p::has_score && !p::has_tokens);
    BOOST_TEST(p::score.a.value == 2);
    BOOST_TEST((attention<times_arguments, causal, softmax>::score.a.value == 2));   // all that there are: at, p
}

BOOST_AUTO_TEST_CASE(the_length_of_each_rule) {
    attention_problem<double> p;
    p.T = 20;
    p.trained_length = 64;
    BOOST_TEST(p.lengths(7).length == 20);
    p.rule = length_rule::trained;
    BOOST_TEST(p.lengths(7).length == 64);
    p.rule = length_rule::visible;
    BOOST_TEST(p.lengths(7).length == 7);
    BOOST_TEST(p.lengths(7).visible == 7);
}

BOOST_AUTO_TEST_SUITE_END()
