#include <set>
#include <string>
#include <tuple>

#include <boost/test/unit_test.hpp>

#include <attnlab/observe/observer.hpp>

// The suite is named apart: attnlab::site is a namespace.
BOOST_AUTO_TEST_SUITE(sites)

using namespace attnlab;

BOOST_AUTO_TEST_CASE(full_names_are_those_of_transformer_lens) {
    BOOST_TEST(site::full_name<site::pattern>(3) == "blocks.3.attn.hook_pattern");
    BOOST_TEST(site::full_name<site::resid_post>(11) == "blocks.11.hook_resid_post");
    BOOST_TEST(site::full_name<site::ln1_normalized>(0) == "blocks.0.ln1.hook_normalized");
    BOOST_TEST(site::full_name<site::mlp_post>(0) == "blocks.0.mlp.hook_post");
    BOOST_TEST(site::full_name<site::embed>(3) == "hook_embed");
    BOOST_TEST(site::full_name<site::ln_final>(3) == "ln_final.hook_normalized");
    BOOST_TEST(site::full_name<site::logits>(0) == "logits");
}

BOOST_AUTO_TEST_CASE(no_two_sites_share_a_name) {
    std::set<std::string> names;
    std::apply([&](auto... s) { (names.insert(site::full_name<decltype(s)>(0)), ...); }, site::all{});
    BOOST_TEST(names.size() == std::tuple_size_v<site::all>);
}

BOOST_AUTO_TEST_CASE(what_an_observer_wants_is_known_when_compiled) {
    struct looker {
        using sites = site_list<site::v, site::gate>;
    };
    static_assert(observer<looker> && observer<no_observer> && !observer<int>);
    static_assert(wants<looker, site::v> && wants<looker, site::gate> && !wants<looker, site::k>);
    std::apply([](auto... s) { static_assert((!wants<no_observer, decltype(s)> && ...)); }, site::all{});
    // Nothing happens, and no call operator is needed.
    no_observer nobody;
    watch(nobody, site::v{}, 0, view<float const, 1>(nullptr, {0}));
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_SUITE_END()
