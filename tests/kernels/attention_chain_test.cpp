#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/softmax.hpp>

#include "kernels/attention_checks.hpp"

BOOST_AUTO_TEST_SUITE(attention_chain)

using namespace attnlab;
using namespace attnlab::testing;
using policies = std::tuple<under_any_mask<softmax, attention_bias, context_scale>, under_any_mask<softmax, all_functions>>;
#include "kernels/attention_cases.inc"

BOOST_AUTO_TEST_CASE_TEMPLATE(weights_and_slot_make_one, Policy, policies) {
    check_shares<Policy, ref>();
    check_shares<Policy, cpu>();
}

BOOST_AUTO_TEST_SUITE_END()
