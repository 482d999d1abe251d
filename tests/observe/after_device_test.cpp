// Observers on the host of a model on a device: what they ask for is waited for, what nobody asks for is not.
#include <string_view>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/buffer.hpp>
#include <attnlab/layers/attention_sites.hpp>
#include <attnlab/observe/after_device.hpp>
#include <attnlab/observe/any_observer.hpp>

namespace faked {
/// A device that counts how often it is waited for.
struct gpu {};
int waits = 0;
void synchronize(gpu) { ++waits; }
}  // namespace faked
template <>
inline constexpr bool attnlab::is_cuda<faked::gpu> = true;

BOOST_AUTO_TEST_SUITE(after_device)

namespace {

using namespace attnlab;

struct one_site {
    using sites = site_list<site::resid_pre>;
    using alters = site_list<site::v>;
    std::vector<index_t> keys = {2, 5};
    int seen = 0;
    void operator()(site::resid_pre, index_t, view<float const, 3>) {
        BOOST_TEST(faked::waits > 0);
        ++seen;
    }
    void operator()(site::v, index_t, view<float, 4> x) { x(0, 0, 0, 0) = 9; }
};

struct asks_for_layer_1 final : any_observer {
    int seen = 0;
    bool asks(std::string_view, index_t layer) const override { return layer == 1; }
    void see(seen_site const&) override { ++seen; }
};

}  // namespace

BOOST_AUTO_TEST_CASE(waits_for_what_is_asked) {
    faked::waits = 0;
    one_site o;
    auto&& on = attnlab::on_device<faked::gpu>(o);
    tensor<float, 3> x({1, 1, 1}, 0.0f);
    tensor<float, 4> v({1, 1, 1, 1}, 0.0f);
    watch(on, site::resid_post{}, 0, x);
    BOOST_TEST((faked::waits == 0 && o.seen == 0));
    watch(on, site::resid_pre{}, 0, x);
    BOOST_TEST((faked::waits == 1 && o.seen == 1));
    watch(on, site::v{}, 0, v);
    BOOST_TEST(v(0, 0, 0, 0) == 9);
    BOOST_TEST(keys_of(on, 0).empty());   // it wants no columns
}

BOOST_AUTO_TEST_CASE(waits_where_an_observer_says_yes_at_run_time) {
    faked::waits = 0;
    asks_for_layer_1 o;
    any_observer& any = o;
    auto&& on = attnlab::on_device<faked::gpu>(any);
    tensor<float, 3> x({1, 1, 1}, 0.0f);
    for (index_t layer : {0, 1, 2}) watch(on, site::resid_pre{}, layer, x);
    BOOST_TEST((faked::waits == 1 && o.seen == 1));
    BOOST_TEST(keys_of(on, 0) == o.keys, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(is_the_observer_itself_where_nothing_is_under_way) {
    one_site o;
    no_observer nobody;
    static_assert(std::is_same_v<decltype(attnlab::on_device<cpu>(o)), one_site&>);
    static_assert(std::is_same_v<decltype(attnlab::on_device<faked::gpu>(nobody)), no_observer&>);
    BOOST_TEST(&attnlab::on_device<cpu>(o) == &o);
}

BOOST_AUTO_TEST_SUITE_END()
