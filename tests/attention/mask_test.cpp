// Masks: ranges, bits, counts and walks over keys against a plain statement of who sees whom.
#include <algorithm>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/mask.hpp>

BOOST_AUTO_TEST_SUITE(mask)

using namespace attnlab;

namespace {

/// Documents of 40 tokens.
constexpr index_t document_of(index_t i) { return i / 40 * 40; }

template <class Mask, class Plain>
void check_row(index_t i, index_t T, Plain plain) {
    visible_keys<Mask> const keys(i, T, document_of(i));
    std::vector<index_t> expected, walked;
    for (index_t j = 0; j < T; ++j)
        if (plain(i, j)) expected.push_back(j);
    keys.each([&](index_t j) { walked.push_back(j); });
    bool same = walked == expected && keys.count() == static_cast<index_t>(expected.size()) && keys.none() == expected.empty();
    index_t end = 0;
    for (key_range const r : keys.ranges()) {   // in order, within the sequence, apart from each other
        same = same && end <= r.begin && r.begin <= r.end && r.end <= T;
        end = r.end;
    }
    for (index_t j = 0; j < T; ++j) same = same && keys.sees(j) == plain(i, j);
    for (index_t first = 0; first < T; first += 64) {
        index_t const count = std::min<index_t>(64, T - first);
        std::uint64_t bits = 0;
        for (index_t c = 0; c < count; ++c) bits |= std::uint64_t{plain(i, first + c)} << c;
        same = same && keys.bits(first, count) == bits;
    }
    if (detail::is_monotone<Mask> && i > 0) {
        auto const before = visible_keys<Mask>(i - 1, T, document_of(i - 1)).ranges();
        for (std::size_t r = 0; r < before.size(); ++r) same = same && before[r].begin <= keys.ranges()[r].begin && before[r].end <= keys.ranges()[r].end;
    }
    BOOST_TEST(same, "row " << i << " of " << T);
}
template <class Mask, class Plain>
void check(Plain plain) {
    for (index_t T : {1, 5, 70, 130})
        for (index_t i = 0; i < T; ++i) check_row<Mask>(i, T, plain);
}

}  // namespace

BOOST_AUTO_TEST_CASE(causal_and_full) {
    check<causal>([](index_t i, index_t j) { return j <= i; });
    check<full>([](index_t, index_t) { return true; });
}

BOOST_AUTO_TEST_CASE(windows) {
    check<sliding_window<1>>([](index_t i, index_t j) { return i == j; });
    check<sliding_window<66>>([](index_t i, index_t j) { return j <= i && i - j < 66; });
    check<sink_window<4, 3>>([](index_t i, index_t j) { return j <= i && (i - j < 3 || j < 4); });
    check<sink_window<0, 7>>([](index_t i, index_t j) { return j <= i && i - j < 7; });
    check<dilated_window<3, 5>>([](index_t i, index_t j) { return j <= i && i - j < 15 && (i - j) % 3 == 0; });
}

BOOST_AUTO_TEST_CASE(prefixes) {
    check<prefix<3>>([](index_t i, index_t j) { return j <= i || j < 3; });
    check<prefix<100>>([](index_t i, index_t j) { return j <= i || j < 100; });
}

BOOST_AUTO_TEST_CASE(documents) {
    check<document>([](index_t i, index_t j) { return j <= i && document_of(i) == document_of(j); });
    check<both<document, sliding_window<6>>>([](index_t i, index_t j) { return j <= i && document_of(i) == document_of(j) && i - j < 6; });
    check<both<document, dilated_window<3, 5>>>(
        [](index_t i, index_t j) { return j <= i && document_of(i) == document_of(j) && i - j < 15 && (i - j) % 3 == 0; });
    check<both<dilated_window<2, 9>, dilated_window<3, 6>>>([](index_t i, index_t j) { return j <= i && i - j < 18 && (i - j) % 6 == 0; });
    static_assert(detail::is_monotone<both<document, causal>> && !detail::is_monotone<both<document, dilated_window<3, 5>>>);
    static_assert(!visible_keys<both<document, causal>>::has_holes);
    static_assert(reads_documents<document> && reads_documents<both<document, causal>> && !reads_documents<causal>);
}

BOOST_AUTO_TEST_CASE(a_mask_may_leave_a_row_without_keys) {
    struct strictly_before {
        static constexpr key_range keys(index_t i, index_t) { return {0, i}; }
    };
    check<strictly_before>([](index_t i, index_t j) { return j < i; });
    BOOST_TEST((visible_keys<strictly_before>(0, 5, 0).none()));
}

BOOST_AUTO_TEST_SUITE_END()
