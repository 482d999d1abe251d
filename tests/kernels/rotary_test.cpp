#include <cmath>

#include <boost/test/unit_test.hpp>

#include <attnlab/kernels/cpu/rotary.hpp>
#include <attnlab/kernels/ref/rotary.hpp>

#include "support.hpp"

BOOST_AUTO_TEST_SUITE(rotary)

namespace {

using namespace attnlab::testing;
using attnlab::cpu, attnlab::index_t, attnlab::ref, attnlab::rotation_angles, attnlab::tensor;

BOOST_AUTO_TEST_CASE(ref_is_the_definition) {
    tensor<double, 4> x({1, 1, 2, 5});   // four channels are turned, the last stays
    for (index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<double>(i);
    for (bool const neighbours : {false, true}) {
        rotation_angles<double> angles({0.5, 0.25}, 2, 2);   // a factor of 2
        angles.neighbours = neighbours;
        auto y = x;
        rotate_heads(ref{}, attnlab::separate_heads(*y), 1, 1, 2, angles);
        BOOST_TEST((y(0, 0, 0, 0) == 0 && y(0, 0, 0, 1) == 2 && y(0, 0, 0, 3) == 6));   // position 0: no angle
        auto const [a, b] = neighbours ? std::pair{5.0, 6.0} : std::pair{5.0, 7.0};     // pair 0 at position 1
        BOOST_TEST(y(0, 0, 1, 0) == 2 * (a * std::cos(0.5) - b * std::sin(0.5)), boost::test_tools::tolerance(1e-14));
        BOOST_TEST(y(0, 0, 1, neighbours ? 1 : 2) == 2 * (b * std::cos(0.5) + a * std::sin(0.5)), boost::test_tools::tolerance(1e-14));
        BOOST_TEST(y(0, 0, 1, 4) == x(0, 0, 1, 4));
    }
}

BOOST_AUTO_TEST_CASE(cpu_against_ref) {
    for (index_t const pairs : {1, 4, 8, 17, 32, 40})
        for (bool const neighbours : {false, true}) {
            std::vector<double> frequencies;
            for (index_t p = 0; p < pairs; ++p) frequencies.push_back(std::pow(10000.0, -static_cast<double>(p) / static_cast<double>(pairs)));
            index_t const B = 2, H = 3, T = 9, D = 2 * pairs + 3;
            rotation_angles<double> exact(frequencies, 1.5, T);
            rotation_angles<float> angles(frequencies, 1.5, T);
            exact.neighbours = angles.neighbours = neighbours;
            auto y = random<3>({B, T, H * D}, 1);   // merged, as a layer has them
            auto found = narrow(y);
            rotate_heads(ref{}, attnlab::merged_heads(*y, D), B, H, T, exact);
            rotate_heads(cpu{}, attnlab::merged_heads(*found, D), B, H, T, angles);
            check_close(found, y, 1e-6);
        }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
