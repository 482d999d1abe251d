#include <omp.h>

#include <limits>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/error.hpp>
#include <attnlab/kernels/cpu/gemm.hpp>
#include <attnlab/kernels/ref/gemm.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(gemm)

namespace {

using namespace attnlab::testing;
using attnlab::cpu, attnlab::ref;

/// The definition, one element at a time.
attnlab::tensor<double, 2> product(bool ta, bool tb, attnlab::index_t k, double alpha, attnlab::tensor<double, 2> const& a,
                                   attnlab::tensor<double, 2> const& b, double beta, attnlab::tensor<double, 2> c) {
    for (attnlab::index_t i = 0; i < c.shape(0); ++i)
        for (attnlab::index_t j = 0; j < c.shape(1); ++j) {
            double sum = 0;
            for (attnlab::index_t l = 0; l < k; ++l) sum += (ta ? a(l, i) : a(i, l)) * (tb ? b(j, l) : b(l, j));
            c(i, j) = alpha * sum + beta * c(i, j);
        }
    return c;
}

BOOST_AUTO_TEST_CASE(all_forms_on_both_devices) {
    struct {
        attnlab::index_t m, n, k;
    } const sizes[]{{1, 1, 1}, {1, 17, 5}, {33, 1, 8}, {7, 9, 1}, {65, 40, 130}, {512, 64, 100}, {129, 300, 257}};
    for (auto [m, n, k] : sizes)
        for (bool ta : {false, true})
            for (bool tb : {false, true})
                for (double beta : {0.0, 1.0, -0.5}) {
                    auto const a = random<2>({ta ? k : m, ta ? m : k}, 1), b = random<2>({tb ? n : k, tb ? k : n}, 2);
                    auto const before = random<2>({m, n}, 3);
                    auto const expected = product(ta, tb, k, 0.5, a, b, beta, before);
                    auto c = before;
                    attnlab::gemm(ref{}, ta, tb, m, n, k, 0.5, a.data(), a.shape(1), b.data(), b.shape(1), beta, c.data(), n);
                    check_close(c, expected, 1e-13);
                    auto const af = narrow(a), bf = narrow(b);
                    auto cf = narrow(before);
                    attnlab::gemm(cpu{}, ta, tb, m, n, k, 0.5f, af.data(), af.shape(1), bf.data(), bf.shape(1),
                                  static_cast<float>(beta), cf.data(), n);
                    check_close(cf, expected);
                }
}

BOOST_AUTO_TEST_CASE(beta_zero_overwrites_nan) {
    auto const nan = std::numeric_limits<float>::quiet_NaN();
    attnlab::tensor<float, 2> const a({20, 3}, 1.0f), b({3, 40}, 2.0f);
    attnlab::tensor<float, 2> c({20, 40}, nan);
    attnlab::gemm(cpu{}, false, false, 20, 40, 3, 1.0f, a.data(), 3, b.data(), 40, 0.0f, c.data(), 40);
    for (float v : *c) BOOST_REQUIRE_EQUAL(v, 6.0f);
}

BOOST_AUTO_TEST_CASE(nan_goes_through) {
    attnlab::tensor<float, 2> a({4, 3}, 1.0f), c({4, 5}, 0.0f);
    attnlab::tensor<float, 2> const b({3, 5}, 0.0f);
    a(2, 1) = std::numeric_limits<float>::quiet_NaN();
    attnlab::gemm(cpu{}, false, false, 4, 5, 3, 1.0f, a.data(), 3, b.data(), 5, 0.0f, c.data(), 5);
    for (attnlab::index_t i = 0; i < 4; ++i)
        for (attnlab::index_t j = 0; j < 5; ++j) BOOST_TEST(std::isnan(c(i, j)) == (i == 2));
}

BOOST_AUTO_TEST_CASE(rows_longer_than_the_matrix) {
    // The first 3 columns of rows of 8: as a head in a row of heads.
    auto const a = random<2>({6, 8}, 1), b = random<2>({5, 8}, 2);
    attnlab::tensor<double, 2> c({6, 7}, -1.0);
    attnlab::gemm(ref{}, false, true, 6, 5, 3, 1.0, a.data(), 8, b.data(), 8, 0.0, c.data(), 7);
    auto const af = narrow(a), bf = narrow(b);
    attnlab::tensor<float, 2> cf({6, 7}, -1.0f);
    attnlab::gemm(cpu{}, false, true, 6, 5, 3, 1.0f, af.data(), 8, bf.data(), 8, 0.0f, cf.data(), 7);
    BOOST_TEST(c(2, 3) == a(2, 0) * b(3, 0) + a(2, 1) * b(3, 1) + a(2, 2) * b(3, 2), boost::test_tools::tolerance(1e-13));
    for (attnlab::index_t i = 0; i < 6; ++i) BOOST_TEST((c(i, 5) == -1 && c(i, 6) == -1));
    check_close(cf, c);
}

BOOST_AUTO_TEST_CASE(empty_sizes) {
    float c = 3;
    attnlab::gemm(cpu{}, false, false, 0, 1, 1, 1.0f, &c, 1, &c, 1, 0.0f, &c, 1);
    attnlab::gemm(cpu{}, false, false, 1, 0, 1, 1.0f, &c, 1, &c, 1, 0.0f, &c, 1);
    BOOST_TEST(c == 3);
}

BOOST_AUTO_TEST_CASE(same_bits_on_any_threads) {
    // Left to itself, oneDNN cuts the long sums of small results when it has eight threads or more.
    struct {
        attnlab::index_t m, n, k;
    } const sizes[]{{300, 150, 200}, {128, 128, 8192}, {16, 16, 20000}, {20, 768, 5000}, {65, 384, 3072}, {800, 900, 30}};
    for (auto const& s : sizes)
        for (bool ta : {false, true})
            for (bool tb : {false, true}) {
                if (ta && tb) continue;   // no layer has it
                auto const a = narrow(random<2>({ta ? s.k : s.m, ta ? s.m : s.k}, 1)), b = narrow(random<2>({tb ? s.n : s.k, tb ? s.k : s.n}, 2));
                auto const run = [&](int threads) {
                    return with_threads(threads, [&] {
                        attnlab::tensor<float, 2> c({s.m, s.n}, 1.0f);
                        attnlab::gemm(cpu{}, ta, tb, s.m, s.n, s.k, 1.0f, a.data(), a.shape(1), b.data(), b.shape(1), 1.0f, c.data(), s.n);
                        BOOST_TEST(omp_get_max_threads() == threads);
                        return c;
                    });
                };
                auto const one = run(1);
                for (int threads : {3, 8}) BOOST_TEST(same_bits(one, run(threads)));
            }
}

BOOST_AUTO_TEST_CASE(a_leading_dimension_too_large_for_the_library_is_refused) {
    double d = 0;
    auto const huge = attnlab::index_t{1} << 40;
    BOOST_CHECK_THROW(attnlab::gemm(ref{}, false, false, 1, 1, 1, 1.0, &d, huge, &d, 1, 0.0, &d, 1), attnlab::error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
