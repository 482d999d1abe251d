#include <attnlab/attention/relu_attention.hpp>
#include <attnlab/attention/sigmoid_attention.hpp>

#include "kernels/attention_checks.hpp"

BOOST_AUTO_TEST_SUITE(attention_unnormalized)

using namespace attnlab;
using namespace attnlab::testing;
using policies = std::tuple<under_any_mask<sigmoid_attention>, under_any_mask<relu_attention>>;
#include "kernels/attention_cases.inc"

BOOST_AUTO_TEST_CASE(a_row_without_keys) {
    check_empty_rows<std::tuple_element_t<0, policies>, ref>(nothing);
    check_empty_rows<std::tuple_element_t<0, policies>, cpu>(nothing);
    check_empty_rows<std::tuple_element_t<1, policies>, ref>(nothing);
    check_empty_rows<std::tuple_element_t<1, policies>, cpu>(nothing);
}

BOOST_AUTO_TEST_SUITE_END()
