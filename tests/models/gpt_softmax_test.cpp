#include <attnlab/attention/softmax.hpp>

#include "models/gpt_checks.hpp"

BOOST_AUTO_TEST_SUITE(gpt_softmax)

using policy = attnlab::attention<attnlab::causal, attnlab::softmax>;
#include "models/gpt_cases.inc"

BOOST_AUTO_TEST_SUITE_END()
