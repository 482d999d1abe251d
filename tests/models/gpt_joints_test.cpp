// A model whose policy has every kind of joint, with grouped queries and documents.
#include <attnlab/attention/library.hpp>

#include "models/gpt_checks.hpp"

BOOST_AUTO_TEST_SUITE(gpt_joints)

using namespace attnlab;
using namespace attnlab::testing;

namespace {
using policy = attnlab::attention<qk_norm<>, rope<>, forgetting<>, document, softmax, sink, element_gate>;

gpt_config grouped() {
    auto c = tiny(2, true, true);
    c.n_head = 2, c.n_kv_head = 1, c.n_embd = 8;
    c.separator = 3;
    return c;
}
}  // namespace

BOOST_AUTO_TEST_CASE(gradients_are_differences) { check_model_gradients<policy>(grouped()); }
BOOST_AUTO_TEST_CASE(cpu_is_ref) { check_model_on_cpu<policy>(grouped()); }

BOOST_AUTO_TEST_CASE(a_separator_hides_what_was_before_it) {
    using masked = attnlab::attention<document, softmax>;
    gpt<masked, ref> model(grouped());
    fill(model.parameters(), 5);
    tensor<std::int32_t, 2> ids({1, 5});
    std::int32_t const tokens[] = {1, 2, 3, 4, 5};   // 3 begins a document
    std::copy(tokens, tokens + 5, ids.data());
    auto const after = [&] {
        auto const y = model.logits(ids);
        return std::vector<double>(&y(0, 2, 0), &y(0, 2, 0) + 3 * 7);
    };
    auto const before = after();
    ids(0, 0) = 6;
    BOOST_TEST(after() == before, boost::test_tools::per_element());
    ids(0, 2) = 0;   // no separator: all one document
    BOOST_TEST((after() != before));
}

BOOST_AUTO_TEST_CASE(groups_must_divide_the_heads) {
    auto c = grouped();
    c.n_kv_head = 3;
    BOOST_CHECK_THROW((gpt<policy, ref>(c)), usage_error);
    c.n_kv_head = 1;
    using gated_values = attnlab::attention<value_gate, causal, softmax>;   // a gate for each head
    BOOST_CHECK_THROW((gpt<gated_values, ref>(c)), usage_error);
}

BOOST_AUTO_TEST_SUITE_END()
