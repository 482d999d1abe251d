#include <attnlab/attention/context_scale.hpp>

#include "models/gpt_checks.hpp"

BOOST_AUTO_TEST_SUITE(gpt_context_scale)

using policy = attnlab::attention<attnlab::causal, attnlab::softmax, attnlab::context_scale>;
#include "models/gpt_cases.inc"

BOOST_AUTO_TEST_SUITE_END()
