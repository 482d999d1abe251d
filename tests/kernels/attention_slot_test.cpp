#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/sink.hpp>
#include <attnlab/attention/softmax.hpp>

#include "kernels/attention_checks.hpp"

BOOST_AUTO_TEST_SUITE(attention_slot)

using namespace attnlab;
using namespace attnlab::testing;
using policies = std::tuple<under_any_mask<softmax, attention_bias>, under_any_mask<softmax, sink>>;
#include "kernels/attention_cases.inc"

// Without keys k' takes all; a sink has nothing to give.
BOOST_AUTO_TEST_CASE(a_row_without_keys) {
    check_empty_rows<std::tuple_element_t<0, policies>, ref>(of_parameter<1>);
    check_empty_rows<std::tuple_element_t<0, policies>, cpu>(of_parameter<1>);
    check_empty_rows<std::tuple_element_t<1, policies>, ref>(nothing);
    check_empty_rows<std::tuple_element_t<1, policies>, cpu>(nothing);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(weights_and_slot_make_one, Policy, policies) {
    check_shares<Policy, ref>();
    check_shares<Policy, cpu>();
}

BOOST_AUTO_TEST_SUITE_END()
