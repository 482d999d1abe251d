#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/observe/record.hpp>

// The suite is named apart: attnlab::record is a class.
BOOST_AUTO_TEST_SUITE(records)

using namespace attnlab;

namespace {
std::vector<float> numbers(std::size_t n, float first) {
    std::vector<float> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(first + static_cast<float>(i));
    return out;
}
}  // namespace

BOOST_AUTO_TEST_CASE(keeps_a_copy_under_the_full_name) {
    record<float, site::v, site::logits> r;
    auto x = numbers(24, 0);
    watch(r, site::v{}, 1, view<float, 4>(x.data(), {1, 2, 3, 4}));
    x[5] = 99;
    auto const& v = r.at("blocks.1.attn.hook_v");
    BOOST_TEST((v.shape == std::vector<index_t>{1, 2, 3, 4}));
    BOOST_TEST((v.values == numbers(24, 0)));
}

BOOST_AUTO_TEST_CASE(the_last_tensor_seen_stays) {
    record<float, site::logits> r;
    auto const first = numbers(6, 0), last = numbers(2, 10);
    watch(r, site::logits{}, 0, view<float const, 3>(first.data(), {1, 2, 3}));
    watch(r, site::logits{}, 0, view<float const, 3>(last.data(), {1, 1, 2}));
    BOOST_TEST((r.at("logits").values == last));
    BOOST_TEST((r.at("logits").shape == std::vector<index_t>{1, 1, 2}));
    BOOST_TEST((r.visits() == std::vector<std::string>{"logits", "logits"}));
}

BOOST_AUTO_TEST_CASE(other_sites_pass_unseen) {
    record<float, site::v> r;
    auto const x = numbers(6, 0);
    watch(r, site::logits{}, 0, view<float const, 3>(x.data(), {1, 2, 3}));
    BOOST_TEST(r.visits().empty());
}

BOOST_AUTO_TEST_CASE(a_site_that_was_not_seen_is_an_error_that_says_what_was) {
    record<float, site::v> r;
    auto const x = numbers(24, 0);
    watch(r, site::v{}, 3, view<float const, 4>(x.data(), {1, 2, 3, 4}));
    try {
        r.at("blocks.0.attn.hook_v");
        BOOST_ERROR("expected an error");
    } catch (error const& e) {
        std::string const line = e.what();
        BOOST_TEST(line.find("'blocks.0.attn.hook_v'") != line.npos);
        BOOST_TEST(line.find("blocks.3.attn.hook_v") != line.npos);
    }
}

BOOST_AUTO_TEST_CASE(doubles_are_recorded_too) {
    record<double, site::slot> r;
    std::vector<double> const x{0.25, 0.5};
    watch(r, site::slot{}, 0, view<double const, 3>(x.data(), {1, 1, 2}));
    BOOST_TEST((r.at("blocks.0.attn.hook_slot").values == x));
}

BOOST_AUTO_TEST_SUITE_END()
