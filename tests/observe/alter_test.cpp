#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/observe/alter.hpp>
#include <attnlab/observe/record.hpp>

// The suite is named apart: attnlab::alter is a function.
BOOST_AUTO_TEST_SUITE(alterations)

using namespace attnlab;

namespace {
auto const doubled = [](auto, index_t, auto x) {
    for (auto& e : x) e *= 2;
};
}  // namespace

BOOST_AUTO_TEST_CASE(changes_what_passes_at_its_sites_alone) {
    auto twice = alter<site::v>(doubled);
    std::vector<float> x{1, 2, 3};
    view<float, 1> const all(x.data(), {3});
    watch(twice, site::v{}, 0, all);
    watch(twice, site::k{}, 0, all);
    BOOST_TEST((x == std::vector<float>{2, 4, 6}));
    using o = decltype(twice);
    static_assert(alters<o, site::v> && wants<o, site::v> && !alters<o, site::k> && !wants<o, site::k>);
    static_assert(!alters<no_observer, site::v> && !alters<record<float, site::v>, site::v>);
}

BOOST_AUTO_TEST_CASE(who_comes_later_sees_the_change) {
    auto twice = alter<site::v>(doubled);
    record<float, site::v, site::k> before, after;
    together all(before, twice, after);
    std::vector<float> x{1, 2, 3};
    watch(all, site::v{}, 1, view<float, 1>(x.data(), {3}));
    watch(all, site::k{}, 1, view<float, 1>(x.data(), {3}));
    BOOST_TEST((before.at("blocks.1.attn.hook_v").values == std::vector<float>{1, 2, 3}));
    BOOST_TEST((after.at("blocks.1.attn.hook_v").values == std::vector<float>{2, 4, 6}));
    BOOST_TEST((after.at("blocks.1.attn.hook_k").values == std::vector<float>{2, 4, 6}));
    static_assert(wants<decltype(all), site::k> && !alters<decltype(all), site::k> && alters<decltype(all), site::v>);
}

BOOST_AUTO_TEST_CASE(layers_that_are_named_are_checked_and_kept_to) {
    auto twice = alter<site::v>(doubled);
    in_layers some(twice, {0, 2});
    std::vector<float> x{1};
    for (index_t l = 0; l < 4; ++l) watch(some, site::v{}, l, view<float, 1>(x.data(), {1}));
    BOOST_TEST(x[0] == 4);
    check_layers(some, 3);
    record<float, site::v> r;
    together both(r, some);   // asked through whatever stands around it
    try {
        check_layers(both, 2);
        BOOST_ERROR("expected an error");
    } catch (usage_error const& e) {
        BOOST_TEST(std::string(e.what()) == "observer: layer 2: expected 0 to 1, the blocks of this model");
    }
}

BOOST_AUTO_TEST_SUITE_END()
