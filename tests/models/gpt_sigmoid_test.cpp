#include <attnlab/attention/sigmoid_attention.hpp>

#include "models/gpt_checks.hpp"

BOOST_AUTO_TEST_SUITE(gpt_sigmoid)

using policy = attnlab::attention<attnlab::causal, attnlab::sigmoid_attention>;
#include "models/gpt_cases.inc"

BOOST_AUTO_TEST_SUITE_END()
