// Masks that are known when a kernel is compiled, against the mask that the other tests choose as they run.
#include <boost/test/unit_test.hpp>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/kernels/attention_call.hpp>
#include <attnlab/kernels/cpu/attention.hpp>

#include "kernels/joints.hpp"
#include "kernels/support.hpp"

BOOST_AUTO_TEST_SUITE(attention_masks)

using namespace attnlab;
using namespace attnlab::testing;

namespace {

attention_inputs inputs() {
    attention_inputs in{{2, 2, 150, 16, 8, 0.25}, {}, {}, {}, {}, {}, {}};
    std::array<index_t, 4> const rows{2, 2, 150, 16};
    in.q = random(rows, 1), in.k = random(rows, 2), in.v = random(rows, 3), in.dy = random(rows, 4);
    in.input = random(std::array<index_t, 3>{2, 150, 8}, 5);
    for (std::uint64_t seed : {6u, 7u}) {
        auto const p = random(std::array<index_t, 1>{32}, seed);
        in.parameters.emplace_back(p.data(), p.data() + 32);
    }
    return in;
}

template <class Mask>
void check_same(any_mask::kind kind) {
    with_mask const chosen(kind);
    auto const in = inputs();
    auto const a = run_attention<attnlab::attention<Mask, softmax, attention_bias>, cpu>(in);
    auto const b = run_attention<attnlab::attention<any_mask, softmax, attention_bias>, cpu>(in);
    BOOST_TEST((same_bits(a.y, b.y) && same_bits(a.dq, b.dq) && same_bits(a.dk, b.dk) && same_bits(a.dv, b.dv)));
    BOOST_TEST((a.d_parameters == b.d_parameters));
    BOOST_TEST((same_bits(a.pattern, b.pattern) && same_bits(a.slot, b.slot)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(keys_of_each_mask) {
    auto const is = [](key_range k, index_t begin, index_t end) { return k.begin == begin && k.end == end; };
    BOOST_TEST((is(attnlab::causal::keys(0, 9), 0, 1) && is(attnlab::causal::keys(8, 9), 0, 9)));
    BOOST_TEST((is(attnlab::full::keys(0, 9), 0, 9) && is(attnlab::full::keys(8, 9), 0, 9)));
    BOOST_TEST((is(sliding_window<3>::keys(0, 9), 0, 1) && is(sliding_window<3>::keys(2, 9), 0, 3) &&
                is(sliding_window<3>::keys(3, 9), 1, 4)));
    BOOST_TEST((is(sliding_window<1>::keys(5, 9), 5, 6)));
}

BOOST_AUTO_TEST_CASE(causal_is_causal) { check_same<attnlab::causal>(any_mask::causal); }
BOOST_AUTO_TEST_CASE(full_is_full) { check_same<attnlab::full>(any_mask::full); }
BOOST_AUTO_TEST_CASE(a_sliding_window_is_a_window) { check_same<sliding_window<5>>(any_mask::window); }

BOOST_AUTO_TEST_CASE(without_a_mask_every_key_is_seen) {
    auto const in = inputs();
    auto const a = run_attention<attnlab::attention<softmax, attention_bias>, cpu>(in);
    auto const b = run_attention<attnlab::attention<attnlab::full, softmax, attention_bias>, cpu>(in);
    BOOST_TEST(same_bits(a.y, b.y));
}

BOOST_AUTO_TEST_CASE(masks_differ) {
    auto const in = inputs();
    auto const a = run_attention<attnlab::attention<attnlab::causal, softmax, attention_bias>, cpu>(in);
    auto const b = run_attention<attnlab::attention<sliding_window<5>, softmax, attention_bias>, cpu>(in);
    BOOST_TEST(!same_bits(a.y, b.y));
}

BOOST_AUTO_TEST_SUITE_END()
