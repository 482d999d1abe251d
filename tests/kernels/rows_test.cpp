#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/rows.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(rows)

namespace {

using namespace attnlab::testing;

BOOST_AUTO_TEST_CASE(each_row_visits_every_row_once) {
    for (attnlab::index_t cost : {1, 1 << 20})
        with_threads(2, [=] {
            std::vector<int> visits(1001, 0);
            attnlab::each_row(1001, cost, [&](attnlab::index_t i) { ++visits[static_cast<std::size_t>(i)]; });
            BOOST_TEST(visits == std::vector<int>(1001, 1));
            return 0;
        });
}

BOOST_AUTO_TEST_CASE(threads_only_where_they_pay) {
    auto const team = [](attnlab::index_t n, attnlab::index_t cost) {
        return with_threads(2, [=] {
            int size = 0;
            attnlab::each_row(n, cost, [&](attnlab::index_t i) {
                if (i == 0) size = omp_get_num_threads();
            });
            return size;
        });
    };
    BOOST_TEST(team(512, 64) == 1);
    BOOST_TEST(team(512, 1024) == 2);
}

BOOST_AUTO_TEST_CASE(each_element_covers_all) {
    for (attnlab::index_t n : {0, 1, 4095, 4096, 4097, 200000}) {
        attnlab::tensor<float, 1> x({n}, 1.0f);
        attnlab::each_element(n, [&](attnlab::index_t i, auto part) {
            attnlab::store(x.data() + i, attnlab::load(x.data() + i, part) + 1.0f, part);
        });
        for (float v : *x) BOOST_REQUIRE_EQUAL(v, 2.0f);
    }
}

BOOST_AUTO_TEST_CASE(column_sums_of_any_height) {
    for (attnlab::index_t n : {0, 1, 127, 128, 129, 8192, 8193, 20000}) {
        auto const sums = attnlab::column_sums(n, 2, [](attnlab::index_t i, float* sum) {
            sum[0] += 1;
            sum[1] += static_cast<float>(i % 2);
        });
        BOOST_REQUIRE_EQUAL(sums.size(), 2u);
        BOOST_TEST(sums[0] == static_cast<float>(n));
        BOOST_TEST(sums[1] == static_cast<float>(n / 2));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
