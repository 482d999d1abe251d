#include <attnlab/attention/context_bias.hpp>

#include "models/gpt_checks.hpp"

BOOST_AUTO_TEST_SUITE(gpt_context_bias)

using policy = attnlab::attention<attnlab::causal, attnlab::softmax, attnlab::context_bias>;
#include "models/gpt_cases.inc"

BOOST_AUTO_TEST_SUITE_END()
