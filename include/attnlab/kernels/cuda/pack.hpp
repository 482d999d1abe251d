#pragma once
#include <array>
#include <cstddef>
#include <type_traits>

#include <attnlab/attention/problem.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/cuda/bits.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

namespace attnlab::gpu {

/// Rounds rows, times a factor, to the products' elements and lays them side by side, padded with zeros (see packed_rows): a warp 16 tokens of a
/// head, N adjacent channels a lane.
template <class Products, int N, class From>
struct pack_program {
    using element = typename Products::element;
    static constexpr int tokens = 16;
    heads<From const> from;
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
                if (t < T && c < D) {
                    auto const read = *reinterpret_cast<detail::adjacent<From, N> const*>(from.row(b, h, t) + c);
                    for (int k = 0; k < N; ++k) x.v[k] = static_cast<float>(read.v[k]);
                }
                for (float& e : x.v) e *= factor;
                detail::write(begin + at, x);
            });
    }
};

/// (B, heads, T, D) packed into `to`, B heads padded_length(T) padded_D elements.
template <class Products, class From, class Device>
void pack(Device device, heads<From const> from, index_t B, index_t count, index_t T, index_t D, int padded_D, typename Products::element* to, float factor = 1) {
    index_t const padded_T = padded_length(T);
    int const log_D = first_bit(static_cast<std::uint64_t>(padded_D));
    bool const strides = from.batch % 4 == 0 && from.head % 4 == 0 && from.position % 4 == 0;
    with_width(strides ? D : 1, {from.data, to}, [&]<int N>(std::integral_constant<int, N>) {
        using program = pack_program<Products, N, From>;
        launch_rows(device, B * count * padded_T / program::tokens, program{from, to, count, T, D, padded_T, log_D, factor});
    });
}

/// q, k and v of a problem, packed.
template <class Products>
struct packed_inputs {
    packed_rows<Products> q, k, v;

    /// Where they lie in memory of bytes_for() bytes.
    packed_inputs(attention_problem<float> const& p, int D, std::byte const* memory) {
        index_t const T = padded_length(p.T), queries = p.B * p.H * T * D, keys = p.B * p.kv_heads() * T * D;
        auto const* const first = reinterpret_cast<typename Products::element const*>(memory);
        q = {first, p.H, T, D};
        k = {first + queries, p.kv_heads(), T, D};
        v = {first + queries + keys, p.kv_heads(), T, D};
    }
    static index_t bytes_for(attention_problem<float> const& p, int D) {
        return p.B * (p.H + 2 * p.kv_heads()) * padded_length(p.T) * D * static_cast<index_t>(sizeof(typename Products::element));
    }
};

/// Packs q, by the scale of scores, k and v into `memory`, from which `packed_inputs` reads them on the way back too.
template <class Products, class Device>
packed_inputs<Products> pack_inputs(Device device, attention_problem<float> const& p, int D, tensor<std::byte, 1>& memory) {
    memory.resize(std::array{packed_inputs<Products>::bytes_for(p, D)});
    packed_inputs<Products> const in(p, D, memory.data());
    auto const into = [&](packed_rows<Products> const& rows, auto from, float factor) {
        auto* const to = reinterpret_cast<typename Products::element*>(memory.data()) + (rows.data - in.q.data);
        pack<Products>(device, from, p.B, rows.heads, p.T, p.D, D, to, factor);
    };
    if (p.rounded_q.data)
        into(in.q, p.rounded_q, p.scale), into(in.k, p.rounded_k, 1), into(in.v, p.rounded_v, 1);
    else
        into(in.q, p.q, p.scale), into(in.k, p.k, 1), into(in.v, p.v, 1);
    return in;
}

}  // namespace attnlab::gpu
