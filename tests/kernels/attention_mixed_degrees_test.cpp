#include <attnlab/attention/softmax1.hpp>

#include "kernels/attention_checks.hpp"

BOOST_AUTO_TEST_SUITE(attention_mixed_degrees)

using namespace attnlab;
using namespace attnlab::testing;
using policies = std::tuple<under_any_mask<softmax1>, under_any_mask<literal_softpick>>;
#include "kernels/attention_cases.inc"

BOOST_AUTO_TEST_CASE(a_row_without_keys) {
    check_empty_rows<std::tuple_element_t<0, policies>, ref>(nothing);
    check_empty_rows<std::tuple_element_t<0, policies>, cpu>(nothing);
    check_empty_rows<std::tuple_element_t<1, policies>, ref>(nothing);
    check_empty_rows<std::tuple_element_t<1, policies>, cpu>(nothing);
}

BOOST_AUTO_TEST_SUITE_END()
