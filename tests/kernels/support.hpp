#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <omp.h>
#include <boost/test/unit_test.hpp>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// A kernel's test: the same numbers to `cpu` in float and to `ref` in double, and ref's gradients against differences.

namespace attnlab::testing {

/// Normal numbers that a float holds exactly, so that both devices are given the same.
template <std::size_t N>
tensor<double, N> random(std::array<index_t, N> shape, std::uint64_t seed, double deviation = 1) {
    tensor<double, N> out(shape);
    for (index_t i = 0; i < out.size(); ++i)
        out.data()[i] =
            static_cast<float>(deviation * rng::normal(rng::stream(seed, "kernel test"), static_cast<std::uint64_t>(i)));
    return out;
}

template <std::size_t N>
tensor<float, N> narrow(tensor<double, N> const& x) {
    tensor<float, N> out(x.shape());
    for (index_t i = 0; i < x.size(); ++i) out.data()[i] = static_cast<float>(x.data()[i]);
    return out;
}

/// Every element within `tolerance` of the expected one, relative to it and to the tensor's root mean square.
template <class T, std::size_t N>
void check_close(tensor<T, N> const& found, tensor<double, N> const& expected, double tolerance = 1e-5) {
    BOOST_REQUIRE(found.shape() == expected.shape());
    double squares = 0;
    for (double e : view<double const, N>(expected)) squares += e * e;
    double const typical = expected.size() ? std::sqrt(squares / static_cast<double>(expected.size())) : 0;
    for (index_t i = 0; i < found.size(); ++i) {
        double const f = found.data()[i], e = expected.data()[i];
        if (!(std::abs(f - e) <= tolerance * (std::abs(e) + typical))) {
            BOOST_ERROR("element " << i << " of " << found.size() << ": found " << f << ", expected " << e);
            return;
        }
    }
    BOOST_TEST(true);  // a test case that only compares is not an empty one
}

/// `gradient` against central differences of `loss()` over x, which it reads.
template <std::size_t N, class Loss>
void check_gradient(tensor<double, N> const& gradient, tensor<double, N>& x, Loss loss, double tolerance = 1e-7) {
    constexpr double step = 1e-5;
    tensor<double, N> differences(x.shape());
    for (index_t i = 0; i < x.size(); ++i) {
        double const kept = x.data()[i];
        x.data()[i] = kept + step;
        double const above = loss();
        x.data()[i] = kept - step;
        double const below = loss();
        x.data()[i] = kept;
        differences.data()[i] = (above - below) / (2 * step);
    }
    check_close(gradient, differences, tolerance);
}

/// Sum of a tensor's elements times weights: makes a loss of any output.
template <std::size_t N>
double weighted_sum(tensor<double, N> const& y, tensor<double, N> const& weights) {
    double sum = 0;
    for (index_t i = 0; i < y.size(); ++i) sum += y.data()[i] * weights.data()[i];
    return sum;
}

template <class T, std::size_t N>
bool same_bits(tensor<T, N> const& a, tensor<T, N> const& b) {
    return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(T)) == 0;
}

/// `run()` under a number of threads, which is put back afterwards.
template <class Run>
auto with_threads(int threads, Run run) {
    int const kept = omp_get_max_threads();
    omp_set_num_threads(threads);
    auto result = run();
    omp_set_num_threads(kept);
    return result;
}

/// Widths around the edges of a register, and one of more than one block of registers.
inline std::vector<index_t> const widths{1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 257};

}  // namespace attnlab::testing
