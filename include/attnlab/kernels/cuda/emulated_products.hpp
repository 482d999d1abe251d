#pragma once
#include <attnlab/kernels/cuda/emulated_block.hpp>
#include <attnlab/kernels/cuda/products.hpp>

/// \file
/// Fragments and products on the host: gathered from the lanes, multiplied, dealt back.

namespace attnlab::gpu {

inline emulated_warp::lanes<std::uint32_t> pair_of(emulated_warp const&, bfloat16_products, emulated_warp::number low, emulated_warp::number high) {
    return each(low, high, [](float a, float b) { return static_cast<std::uint32_t>(bfloat16(a).bits) | static_cast<std::uint32_t>(bfloat16(b).bits) << 16; });
}
inline float_products::pair<emulated_warp> pair_of(emulated_warp const&, float_products, emulated_warp::number low, emulated_warp::number high) {
    return {low, high};
}

namespace detail {
inline std::array<float, 2> numbers(emulated_warp::lanes<std::uint32_t> const& pair, int lane) {
    bfloat16 low, high;
    low.bits = static_cast<std::uint16_t>(pair.v[lane]), high.bits = static_cast<std::uint16_t>(pair.v[lane] >> 16);
    return {static_cast<float>(low), static_cast<float>(high)};
}
inline std::array<float, 2> numbers(float_products::pair<emulated_warp> const& pair, int lane) { return {pair.low.v[lane], pair.high.v[lane]}; }

/// The elements at `at` and `at + step` of shared memory as pairs.
template <class Products, class T>
auto pairs_at(emulated_warp const& w, Products products, emulated_shared<T> const& x, emulated_warp::whole at, int step) {
    auto const number = [](auto const& lanes) { return each(lanes, [](T e) { return static_cast<float>(e); }); };
    return pair_of(w, products, number(x.get(w, at)), number(x.get(w, at + emulated_warp::whole(step))));
}
}  // namespace detail

/// c += a b
template <class Products>
void multiply_add(emulated_warp const&, Products, fragment_c<emulated_warp>& c, fragment_a<emulated_warp, Products> const& a,
                  fragment_b<emulated_warp, Products> const& b) {
    float left[16][16], right[16][8];
    for (int lane = 0; lane < warp_size; ++lane)
        for (int half = 0; half < 2; ++half) {
            int const g = lane / 4, k = 2 * (lane % 4) + 8 * half;
            auto const upper = detail::numbers(a[static_cast<std::size_t>(2 * half)], lane), lower = detail::numbers(a[static_cast<std::size_t>(2 * half + 1)], lane);
            auto const column = detail::numbers(b[static_cast<std::size_t>(half)], lane);
            for (int i = 0; i < 2; ++i)
                left[g][k + i] = upper[static_cast<std::size_t>(i)], left[g + 8][k + i] = lower[static_cast<std::size_t>(i)],
                right[k + i][g] = column[static_cast<std::size_t>(i)];
        }
    for (int row = 0; row < 16; ++row) {
        float sums[8] = {};
        for (int k = 0; k < 16; ++k)
            for (int n = 0; n < 8; ++n) sums[n] += left[row][k] * right[k][n];
        for (int n = 0; n < 8; ++n) c[static_cast<std::size_t>(2 * (row / 8) + n % 2)].v[4 * (row % 8) + n / 2] += sums[n];
    }
}

/// A from rows row .. row + 16, columns k .. k + 16 of a matrix in shared memory.
template <class Products, class T>
fragment_a<emulated_warp, Products> load_a(emulated_warp const& w, Products products, emulated_shared<T> const& x, int stride, int row, int k) {
    fragment_a<emulated_warp, Products> a;
    for (int i = 0; i < 4; ++i)
        a[static_cast<std::size_t>(i)] = detail::pairs_at(w, products, x, emulated_warp::each_lane([&](int l) { return (row + l / 4 + 8 * (i % 2)) * stride + k + 2 * (l % 4) + 8 * (i / 2); }), 1);
    return a;
}
/// Two Bs of columns n .. n + 16 and k .. k + 16, of a matrix whose rows are columns of B.
template <class Products, class T>
std::array<fragment_b<emulated_warp, Products>, 2> load_b(emulated_warp const& w, Products products, emulated_shared<T> const& x, int stride, int n, int k) {
    std::array<fragment_b<emulated_warp, Products>, 2> b;
    for (int i = 0; i < 4; ++i)
        b[static_cast<std::size_t>(i / 2)][static_cast<std::size_t>(i % 2)] = detail::pairs_at(
            w, products, x, emulated_warp::each_lane([&](int l) { return (n + l / 4 + 8 * (i / 2)) * stride + k + 2 * (l % 4) + 8 * (i % 2); }), 1);
    return b;
}
/// The same of a matrix whose rows are rows of B.
template <class Products, class T>
std::array<fragment_b<emulated_warp, Products>, 2> load_b_rows(emulated_warp const& w, Products products, emulated_shared<T> const& x, int stride, int k, int n) {
    std::array<fragment_b<emulated_warp, Products>, 2> b;
    for (int i = 0; i < 4; ++i)
        b[static_cast<std::size_t>(i / 2)][static_cast<std::size_t>(i % 2)] = detail::pairs_at(
            w, products, x, emulated_warp::each_lane([&](int l) { return (k + 2 * (l % 4) + 8 * (i % 2)) * stride + n + l / 4 + 8 * (i / 2); }), stride);
    return b;
}

}  // namespace attnlab::gpu
