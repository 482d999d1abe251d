#include <attnlab/attention/softmax.hpp>
#include <attnlab/attention/value_bias.hpp>

#include "kernels/attention_checks.hpp"

BOOST_AUTO_TEST_SUITE(attention_softmax)

using namespace attnlab;
using namespace attnlab::testing;
using policies = std::tuple<under_any_mask<softmax>, under_any_mask<softmax, value_bias>>;
#include "kernels/attention_cases.inc"

BOOST_AUTO_TEST_CASE(a_row_without_keys) {
    check_empty_rows<std::tuple_element_t<0, policies>, ref>(nothing);
    check_empty_rows<std::tuple_element_t<0, policies>, cpu>(nothing);
    check_empty_rows<std::tuple_element_t<1, policies>, ref>(of_parameter<0>);
    check_empty_rows<std::tuple_element_t<1, policies>, cpu>(of_parameter<0>);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(weights_and_slot_make_one, Policy, policies) {
    check_shares<Policy, ref>();
    check_shares<Policy, cpu>();
}

BOOST_AUTO_TEST_SUITE_END()
