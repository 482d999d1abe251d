#pragma once
#include <type_traits>

#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

namespace attnlab::gpu {

/// Rounds rows, times a factor, to the products' elements and lays them side by side, padded with zeros (see packed_rows): a warp 16 tokens of a
/// head, N adjacent channels a lane.
template <class Products, int N>
struct pack_program {
    using element = typename Products::element;
    static constexpr int tokens = 16;
    heads<float const> from;
    element* to;
    index_t heads_count, T, D, padded_T;
    int log_D;       ///< of the padded D, a power of two
    float factor;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t part) const {
        index_t const parts = padded_T / tokens, first = part % parts * tokens, pair = part / parts, h = pair % heads_count, b = pair / heads_count;
        element* const begin = to + ((pair * padded_T + first) << log_D);
        for (int i = 0; i < tokens << log_D; i += N * warp_size)
            Warp::visit([&](int lane, int) {
                int const at = i + N * lane, c = at & ((1 << log_D) - 1);
                index_t const t = first + (at >> log_D);
                detail::adjacent<float, N> x;
                for (float& e : x.v) e = 0;
                if (t < T && c < D) x = *reinterpret_cast<detail::adjacent<float, N> const*>(from.row(b, h, t) + c);
                for (float& e : x.v) e *= factor;
                detail::write(begin + at, x);
            });
    }
};

/// (B, heads, T, D) packed into scratch memory of its own `Purpose`.
template <class Purpose, class Products, class Device>
packed_rows<Products> pack(Device device, heads<float const> from, index_t B, index_t count, index_t T, index_t D, int padded_D, float factor = 1) {
    index_t const padded_T = padded_length(T), rows = B * count * padded_T;
    auto* const to = scratch<Purpose, typename Products::element>(device, rows * padded_D);
    int const log_D = first_bit(static_cast<std::uint64_t>(padded_D));
    bool const strides = from.batch % 4 == 0 && from.head % 4 == 0 && from.position % 4 == 0;
    with_width(strides ? D : 1, {from.data, to}, [&]<int N>(std::integral_constant<int, N>) {
        using program = pack_program<Products, N>;
        launch_rows(device, rows / program::tokens, program{from, to, count, T, D, padded_T, log_D, factor});
    });
    return {to, count, padded_T, padded_D};
}

}  // namespace attnlab::gpu
