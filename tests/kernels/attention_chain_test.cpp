#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/context_scale.hpp>
#include <attnlab/attention/softmax.hpp>
#include "kernels/attention_checks.hpp"

BOOST_AUTO_TEST_SUITE(attention_chain)

using policies = std::tuple<attnlab::attention<attnlab::testing::any_mask, attnlab::softmax, attnlab::attention_bias, attnlab::context_scale>, attnlab::attention<attnlab::testing::any_mask, attnlab::softmax, attnlab::testing::all_functions>>;
#include "kernels/attention_cases.inc"

BOOST_AUTO_TEST_CASE_TEMPLATE(weights_and_slot_make_one, Policy, policies) {
    check_shares<Policy, ref>();
    check_shares<Policy, cpu>();
}

BOOST_AUTO_TEST_SUITE_END()
