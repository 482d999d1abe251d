#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/observe/alter.hpp>
#include <attnlab/observe/any_observer.hpp>
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

/// What nobody asks for in a layer is not made there, whoever stands around the one who asks.
BOOST_AUTO_TEST_CASE(layers_and_keys_are_known_through_wrappers) {
    struct columns {
        using sites = site_list<site::pattern_columns>;
        std::vector<index_t> keys{5};
        void operator()(site::pattern_columns, index_t, view<float const, 4>) {}
    };
    columns c;
    record<float, site::v> r;
    in_layers some(c, {1});
    together all(r, some);
    BOOST_TEST((asked(some, site::pattern_columns{}, 1) && !asked(some, site::pattern_columns{}, 0)));
    BOOST_TEST((asked(all, site::pattern_columns{}, 1) && !asked(all, site::pattern_columns{}, 0) && asked(all, site::v{}, 0)));
    BOOST_TEST((keys_of(all, 1) == std::vector<index_t>{5}));
    columns first;
    first.keys = {0};
    together differ(c, first);
    BOOST_CHECK_THROW(keys_of(differ, 0), usage_error);
}

/// Observers whose sites are known at run time stay so inside others.
BOOST_AUTO_TEST_CASE(who_asks_at_run_time_may_be_wrapped) {
    struct outputs : any_observer {
        int seen = 0;
        bool asks(std::string_view site, index_t) const override { return site == site::resid_post::name; }
        void see(seen_site const&) override { ++seen; }
    };
    outputs o, inner;
    record<float, site::v> r;
    in_layers some(inner, {2});
    together all(o, r, some);
    static_assert(detail::asks_at_run_time<decltype(all)> && detail::asks_at_run_time<decltype(some)>);
    BOOST_TEST((all.asks(site::resid_post::name, 0) && all.asks(site::v::name, 0) && !all.asks(site::k::name, 0)));
    std::vector<float> x{1};
    for (index_t l = 0; l < 3; ++l) watch(all, site::resid_post{}, l, view<float, 3>(x.data(), {1, 1, 1}));
    watch(all, site::k{}, 0, view<float, 4>(x.data(), {1, 1, 1, 1}));
    BOOST_TEST((o.seen == 3 && inner.seen == 1));
}

BOOST_AUTO_TEST_SUITE_END()
