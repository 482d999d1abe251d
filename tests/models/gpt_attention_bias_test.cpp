#include <attnlab/attention/attention_bias.hpp>

#include "models/gpt_checks.hpp"

BOOST_AUTO_TEST_SUITE(gpt_attention_bias)

using policy = attnlab::attention<attnlab::causal, attnlab::softmax, attnlab::attention_bias>;
#include "models/gpt_cases.inc"

BOOST_AUTO_TEST_SUITE_END()
