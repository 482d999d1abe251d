// Every policy of the library and some that join several joints, through the checks that a user's own policy passes.
#include <algorithm>
#include <sstream>

#include <omp.h>

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
    wrong.on_device = other->policy.on_device;
    auto const report = attnlab::check_policy(wrong);
    BOOST_TEST(!report.passed());
    BOOST_TEST(report.checks[0].passed());   // the reference is its own
    BOOST_TEST(!report.checks[1].passed());
}

// Parameter gradients are sums over tokens and heads: their order must not depend on who adds.
BOOST_AUTO_TEST_CASE(the_same_bits_on_one_thread_and_on_three) {
    int const threads = omp_get_max_threads();
    for (auto const& [type, policy] : checked_policies()) {
        auto const in = attnlab::detail::drawn_inputs(policy, attnlab::detail::sizes_of(2, 3, 150, 16), 9);
        omp_set_num_threads(1);
        auto const one = policy.on_device(in, attnlab::attention_layout::packed);
        omp_set_num_threads(3);
        auto const three = policy.on_device(in, attnlab::attention_layout::packed);
        BOOST_TEST_CONTEXT(type) {
            BOOST_TEST(std::equal(one.y.data(), one.y.data() + one.y.size(), three.y.data()));
            BOOST_TEST(std::equal(one.d_input.data(), one.d_input.data() + one.d_input.size(), three.d_input.data()));
            BOOST_TEST((one.d_parameters == three.d_parameters));
        }
    }
    omp_set_num_threads(threads);
}

BOOST_AUTO_TEST_SUITE_END()
