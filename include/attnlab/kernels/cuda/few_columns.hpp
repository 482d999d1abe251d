#pragma once
#include <cstdint>
#include <type_traits>

#include <attnlab/kernels/cuda/tile_products.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// Products of few columns, y = x w^T (input_dots.hpp) and back (input_dot_gradients.hpp), on tensor cores from memory: they take as long as reading x. A lane reads
/// eight adjacent channels at once; which of them are whose k a product does not ask, if both sides agree.

namespace attnlab::gpu {

/// Products of rows of X: in bfloat16 or in float.
template <class X>
using products_of_rows = std::conditional_t<std::is_same_v<X, float>, float_products, bfloat16_products>;

/// Eight adjacent numbers of each lane; element 8 i + k is number k of this object's lane i.
template <class Warp, class X>
using eight = lanes_of<X, 8 * Warp::held>;

/// From where `at(lane)` points, on sixteen bytes; zeros where that is null.
template <class Warp, class X, class At>
constexpr eight<Warp, X> load_eight(At at) {
    constexpr int N = 16 / sizeof(X);
    eight<Warp, X> r(X(0.0f));
    Warp::visit([&](int lane, int l) {
        X const* const p = at(lane);
        if (!p) return;
        unrolled<8 / N>([&](int i) {
            auto const a = *reinterpret_cast<detail::adjacent<X, N> const*>(p + N * i);
            for (int k = 0; k < N; ++k) r.v[8 * l + N * i + k] = a.v[k];
        });
    });
    return r;
}
/// Number k of each lane.
template <class Warp, class X>
constexpr typename Warp::template lanes<X> number_of(eight<Warp, X> const& x, int k) {
    typename Warp::template lanes<X> r;
    for (int l = 0; l < Warp::held; ++l) r.v[l] = x.v[8 * l + k];
    return r;
}
/// Two numbers as they are stored, as a pair.
template <class Warp>
constexpr bfloat16_products::pair<Warp> stored_pair(Warp const&, typename Warp::template lanes<bfloat16> const& low, typename Warp::template lanes<bfloat16> const& high) {
    return each(low, high, [](bfloat16 a, bfloat16 b) { return static_cast<std::uint32_t>(a.bits) | static_cast<std::uint32_t>(b.bits) << 16; });
}
template <class Warp>
constexpr float_products::pair<Warp> stored_pair(Warp const&, typename Warp::number const& low, typename Warp::number const& high) {
    return {low, high};
}

/// `run(std::integral_constant<int, Most>{})` of kernels for at most so many outputs, 16 or 32; false where they are more.
template <class Run>
bool with_few(index_t outputs, Run run) {
    if (outputs <= 16) return run(std::integral_constant<int, 16>{});
    return outputs <= 32 && run(std::integral_constant<int, 32>{});
}

}  // namespace attnlab::gpu
