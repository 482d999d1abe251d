#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/outliers/outlier_set.hpp>

// The suite is named apart: attnlab::outlier_set is a class.
BOOST_AUTO_TEST_SUITE(outlier_sets)

using namespace attnlab;

namespace {

using set = outlier_set<axis::layer, axis::token, axis::channel>;

provenance about() {
    provenance p;
    p.rule = "massive";
    return p;
}
/// 3 layers, 5 tokens, 4 channels.
set example() {
    return {{{{2, 0, 3}, -7}, {{1, 0, 3}, 2}, {{1, 4, 3}, 5}, {{1, 4, 0}, 1}}, {{{3, 0, 3}, {5, 0, 5}, {4, 0, 4}}}, about()};
}

}  // namespace

BOOST_AUTO_TEST_CASE(elements_are_in_order_and_in_the_space) {
    auto const s = example();
    BOOST_TEST(s.size() == 4u);
    BOOST_TEST((s.coordinates() == std::vector<set::coordinate>{{1, 0, 3}, {1, 4, 0}, {1, 4, 3}, {2, 0, 3}}));
    BOOST_TEST(s.contains({1, 4, 0}));
    BOOST_TEST(!s.contains({1, 4, 1}));
    BOOST_TEST(s.space_size() == 60);
    BOOST_CHECK_EXCEPTION(set({{{0, 5, 0}, 1}}, s.ranges(), about()), error, [](error const& e) {
        return std::string(e.what()) == "outlier set of massive: token 5: expected 0 to 4";
    });
    BOOST_TEST((set() == set()));
    BOOST_TEST(set().empty());
}

BOOST_AUTO_TEST_CASE(projections_unite_and_keep_the_largest) {
    auto const tokens = example().project<axis::layer, axis::token>();
    BOOST_TEST((tokens.coordinates() == std::vector<std::array<index_t, 2>>{{1, 0}, {1, 4}, {2, 0}}));
    BOOST_TEST(tokens.elements()[1].value == 5);
    BOOST_TEST(tokens.space_size() == 15);
    auto const turned = example().project<axis::channel, axis::layer>();   // in any order
    BOOST_TEST((turned.coordinates() == std::vector<std::array<index_t, 2>>{{0, 1}, {3, 1}, {3, 2}}));
    BOOST_TEST(example().project<axis::channel>().elements()[1].value == -7);
    BOOST_TEST((tokens.about().steps == std::vector<std::string>{"project(layer,token)"}));
    BOOST_TEST(tokens.about().rule == "massive");
}

BOOST_AUTO_TEST_CASE(shifts_move_the_space_too) {
    auto const s = example().shift<axis::layer>(1);
    BOOST_TEST((s.coordinates().front() == set::coordinate{2, 0, 3}));
    BOOST_TEST((s.range<axis::layer>() == axis_range{3, 1, 4}));
    BOOST_TEST((s.shift<axis::layer>(-1) == example()));
    BOOST_TEST((s.about().steps == std::vector<std::string>{"shift(layer,1)"}));
}

BOOST_AUTO_TEST_CASE(restrictions_make_the_space_smaller) {
    auto const s = example().restrict<axis::layer>(1, 2);
    BOOST_TEST(s.size() == 3u);
    BOOST_TEST(s.space_size() == 20);
    BOOST_TEST(example().restrict<axis::token>(7, 9).space_size() == 0);
    auto const later = example().without_first();
    BOOST_TEST((later.coordinates() == std::vector<set::coordinate>{{1, 4, 0}, {1, 4, 3}}));
    BOOST_TEST(later.space_size() == 48);
    BOOST_TEST((later.without_first() == later));
}

BOOST_AUTO_TEST_CASE(a_row_of_the_down_projection_is_a_channel) {
    outlier_set<axis::layer, axis::row, axis::column> const w({{{1, 3, 9}, 2}}, {{{3, 0, 3}, {4, 0, 4}, {10, 0, 10}}}, about());
    outlier_set<axis::layer, axis::channel> const channels =
        w.project<axis::layer, axis::row>().rename<axis::row, axis::channel>();
    BOOST_TEST((channels.coordinates() == std::vector<std::array<index_t, 2>>{{1, 3}}));
    BOOST_TEST((channels.about().steps == std::vector<std::string>{"project(layer,row)", "rename(row,channel)"}));
}

BOOST_AUTO_TEST_SUITE_END()
