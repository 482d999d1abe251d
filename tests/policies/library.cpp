// Every policy of the library and some that join several joints, through the checks that a user's own policy passes.
#include <algorithm>
#include <sstream>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/check_policy.hpp>

#include "policies/all.inc"

BOOST_AUTO_TEST_SUITE(policies)

BOOST_AUTO_TEST_CASE(pass_every_check) {
    auto const all = checked_policies();
    BOOST_TEST(all.size() > 15u);   // without the program, these are the six and those that join several joints
    for (auto const& [type, policy] : all) {
        std::ostringstream out;
        bool const passed = attnlab::check_policy(policy, out, type);
        BOOST_TEST_CONTEXT(out.str()) BOOST_TEST(passed);
    }
}

// A check that cannot fail is none: a policy with another's reference, and with another's kernel.
BOOST_AUTO_TEST_CASE(a_wrong_kernel_fails) {
    auto const all = checked_policies();
    auto wrong = all[0].policy;
    auto const other = std::find_if(all.begin(), all.end(), [](auto const& p) { return p.type == "attention<causal, sigmoid_attention>"; });
    BOOST_REQUIRE(other != all.end());
    wrong.on_cpu = other->policy.on_cpu;
    auto const report = attnlab::check_policy(wrong);
    BOOST_TEST(!report.passed());
    BOOST_TEST(report.checks[0].passed());   // the reference is its own
    BOOST_TEST(!report.checks[1].passed());
}

BOOST_AUTO_TEST_SUITE_END()
