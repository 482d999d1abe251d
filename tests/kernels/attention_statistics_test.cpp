// Attention statistics: what the kernel's tiles tell beside the definitions on whole patterns.
#include <attnlab/attention/library.hpp>
#include <attnlab/kernels/ref/attention_statistics.hpp>

#include "kernels/attention_checks.hpp"

namespace attnlab::testing {

template <class Policy, class Device>
attention_statistics<typename Device::scalar> statistics_of(attention_inputs const& in, std::vector<index_t> keys) {
    attention_call<typename Device::scalar> c(in, attention_layout::packed);
    attention_saved<typename Device::scalar> saved;
    attention_statistics<typename Device::scalar> s;
    s.keys = std::move(keys);
    attention_forward<Policy>(Device{}, c.problem, saved, c.y.part(0), s);
    return s;
}

template <class A, class B>
void expect_near(char const* what, A const& found, B const& expected, double unit) {
    BOOST_REQUIRE(found.size() == expected.size());
    for (index_t i = 0; i < found.size(); ++i) {
        double const x = static_cast<double>(found.data()[i]), y = expected.data()[i];
        if (!(x == y || std::abs(x - y) <= 2e-5 * (unit + std::abs(y)))) BOOST_ERROR(what << ": element " << i << ": found " << x << ", expected " << y);
    }
}

using policies = std::tuple<under_any_mask<softmax>, under_any_mask<softmax, attention_bias>, under_any_mask<softmax, key_bias>, under_any_mask<softmax1>,
                            under_any_mask<sigmoid_attention>, under_any_mask<relu_attention>, under_any_mask<clipped_softmax<>>,
                            under_any_mask<alibi, softmax, head_gate>>;

BOOST_AUTO_TEST_SUITE(attention_statistics_of)

BOOST_AUTO_TEST_CASE_TEMPLATE(tiles_are_those_of_the_pattern, Policy, policies) {
    for (auto const kind : every_mask)
        for (auto const& n : {sizes(1, 1, 1, 5), sizes(2, 3, 37, 8), sizes(1, 2, 201, 16)}) {
            BOOST_TEST_CONTEXT("mask " << kind << ", T " << n.T) {
                with_mask const mask(kind);
                auto const in = random_inputs<Policy>(n, 7, 0, 1.5);
                std::vector<index_t> const keys{n.T - 1, 0, n.T / 2};
                auto const found = statistics_of<Policy, cpu>(in, keys);
                auto const expected = statistics_of<Policy, ref>(in, keys);
                expect_near("column sums", found.column_sums, expected.column_sums, 1);
                expect_near("entropy", found.entropy, expected.entropy, 1);
                expect_near("largest score", found.largest_score, expected.largest_score, 1);
                expect_near("columns", found.columns, expected.columns, 1);
            }
        }
}

BOOST_AUTO_TEST_CASE(what_is_forwarded_does_not_change) {
    using policy = under_any_mask<softmax, attention_bias>;
    with_mask const mask(any_mask::causal);
    auto const in = random_inputs<policy>(sizes(2, 3, 150, 16), 3, 0);
    attention_call<float> plain(in, attention_layout::separate), watched(in, attention_layout::separate);
    attention_saved<float> a, b;
    attention_statistics<float> s;
    attention_forward<policy>(cpu{}, plain.problem, a, plain.y.part(0));
    attention_forward<policy>(cpu{}, watched.problem, b, watched.y.part(0), s);
    auto const x = plain.y.take(0), y = watched.y.take(0);
    BOOST_TEST(std::equal(x.data(), x.data() + x.size(), y.data()));
}

BOOST_AUTO_TEST_CASE(top_columns_come_largest_first) {
    attention_statistics<float> s;
    s.resize(1, 1, 4);
    float const sums[] = {0.5f, 2, 1, 3};
    std::copy_n(sums, 4, s.column_sums.data());
    std::vector<index_t> const expected{3, 1}, all{3, 1, 2, 0};
    BOOST_TEST(s.top_columns(0, 0, 2) == expected, boost::test_tools::per_element());
    BOOST_TEST(s.top_columns(0, 0, 9) == all, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_key_outside_the_sequence_is_refused) {
    using policy = under_any_mask<softmax>;
    BOOST_CHECK_THROW((statistics_of<policy, cpu>(random_inputs<policy>(sizes(1, 1, 4, 4), 1, 0), {4})), error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace attnlab::testing
