// The optimizer's kernels against the same rules on the host.
#include <cmath>
#include <deque>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/train/array_operations.hpp>

#include "kernels/support.hpp"
#include "kernels_cuda/device.hpp"

BOOST_AUTO_TEST_SUITE(optimizer)

namespace {

using namespace attnlab::testing;
using attnlab::adamw_rule, attnlab::index_t, attnlab::momentum_rule, attnlab::parameter_update, attnlab::tensor, attnlab::view;

/// Forty parameters, of one number to more than a block walks, each with a rule of its own.
struct parameters {
    std::deque<tensor<float, 1>> arrays;

    template <class Rule>
    std::vector<parameter_update<Rule, float>> updates(Rule rule) {
        std::vector<parameter_update<Rule, float>> out;
        arrays.clear();
        for (index_t i = 0; i < 40; ++i) {
            index_t const n = i == 7 ? 40001 : 1 + i * i;
            float* at[4];
            for (int k = 0; k < 4; ++k) {
                arrays.push_back(narrow(random<1>({n}, static_cast<std::uint64_t>(4 * i + k))));
                at[k] = arrays.back().data();
            }
            for (index_t j = 0; j < n; ++j) at[3][j] *= at[3][j];   // squares
            rule.step = 0.01f * static_cast<float>(i + 1);
            out.push_back({rule, n, at[0], at[1], at[2], at[3]});
        }
        return out;
    }
};

template <class Rule, class OnHost>
void check(Rule rule, OnHost on_host) {
    parameters here, there;
    auto const expected = here.updates(rule), found = there.updates(rule);
    on_host(expected);
    if constexpr (std::is_same_v<Rule, adamw_rule<float>>)
        adamw_step(device{}, std::span<parameter_update<Rule, float> const>(found));
    else
        momentum_step(device{}, std::span<parameter_update<Rule, float> const>(found));
    synchronize(device{});
    for (std::size_t i = 0; i < here.arrays.size(); ++i) {
        tensor<double, 1> wide({here.arrays[i].size()});
        for (index_t j = 0; j < wide.size(); ++j) wide(j) = here.arrays[i](j);
        check_close(there.arrays[i], wide, 2e-6);   // the same operations, some of them fused here and not there
    }
}

BOOST_AUTO_TEST_CASE(adamw) {
    adamw_rule<float> const rule{.gradient_scale = 0.5f, .step = 0, .keep = 0.99f, .take1 = 0.1f, .take2 = 0.05f, .beta2 = 0.95f, .root2 = 0.4f, .epsilon = 1e-8f};
    check(rule, attnlab::host_operations<float>.adamw_step);
}
BOOST_AUTO_TEST_CASE(momentum) { check(momentum_rule<float>{0.5f, 0, 0.9f, 0.1f}, attnlab::host_operations<float>.momentum_step); }

BOOST_AUTO_TEST_CASE(sums_of_squares) {
    for (index_t n : {0, 1, 31, 257, 16384, 16385, 300001}) {
        auto x = narrow(random<1>({n}, 1));
        double expected = 0;
        for (float v : *x) expected += static_cast<double>(v) * v;
        double const found = sum_of_squares(device{}, view<float const, 1>(x));
        BOOST_TEST(found == expected, boost::test_tools::tolerance(1e-12));
        BOOST_TEST(found == sum_of_squares(device{}, view<float const, 1>(x)));
        if (n == 0) continue;
        x(n - 1) = std::numeric_limits<float>::quiet_NaN();
        BOOST_TEST(std::isnan(sum_of_squares(device{}, view<float const, 1>(x))));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
