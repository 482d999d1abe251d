#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <attnlab/attention/problem.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/cuda/bits.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// What tiles read: rows where they lie, in a layer's (B, T, 3 C) as well, or, where these are of another type or of fewer channels than kernels are compiled for, rows
/// that are made of them.

namespace attnlab::gpu {

/// Rounds rows, times a factor, to the products' elements and lays them side by side, (B, heads, T, padded D), zeros in the padding: a warp 16 tokens of a
/// head, N adjacent channels a lane.
template <class Products, int N, class From>
struct pack_program {
    using element = typename Products::element;
    static constexpr int tokens = 16;
    heads<From const> from;
    element* to;
    index_t heads_count, T, D;
    int log_D;       ///< of the padded D, a power of two
    float factor;

    static constexpr index_t parts(index_t T) { return (T + tokens - 1) / tokens; }
    template <class Warp>
    constexpr void operator()(Warp const&, index_t part) const {
        index_t const first = part % parts(T) * tokens, pair = part / parts(T), h = pair % heads_count, b = pair / heads_count;
        element* const begin = to + ((pair * T + first) << log_D);
        for (int i = 0; i < tokens << log_D; i += N * warp_size)
            Warp::visit([&](int lane, int) {
                int const at = i + N * lane, c = at & ((1 << log_D) - 1);
                index_t const t = first + (at >> log_D);
                if (t >= T) return;
                detail::adjacent<float, N> x;
                for (float& e : x.v) e = 0;
                if (c < D) {
                    auto const read = *reinterpret_cast<detail::adjacent<From, N> const*>(from.row(b, h, t) + c);
                    for (int k = 0; k < N; ++k) x.v[k] = static_cast<float>(read.v[k]);
                }
                for (float& e : x.v) e *= factor;
                detail::write(begin + at, x);
            });
    }
};

/// (B, count, T, D) packed into `to`, B count T padded_D elements.
template <class Products, class Device>
void pack(Device device, stored_heads<float const> const& rows, index_t B, index_t count, index_t T, index_t D, int padded_D, typename Products::element* to, float factor = 1) {
    rows.visit([&]<class From>(heads<From> const& from) {
        bool const strides = from.batch % 4 == 0 && from.head % 4 == 0 && from.position % 4 == 0;
        with_width(strides ? D : 1, {from.data, to}, [&]<int N>(std::integral_constant<int, N>) {
            using program = pack_program<Products, N, std::remove_const_t<From>>;
            launch_rows(device, B * count * program::parts(T), program{from, to, count, T, D, first_bit(static_cast<std::uint64_t>(padded_D)), factor});
        });
    });
}

/// Rows of heads, and where tiles read them.
template <class Products>
struct tile_input {
    using element = typename Products::element;
    stored_heads<float const> rows;
    index_t heads_count, T, D;
    int padded_D;
    float factor = 1;                 ///< by which packing multiplies
    tile_source<Products> source{};   ///< null until it is known where they are packed
    bool lies_ready = false;          ///< tiles read the rows themselves

    tile_input(stored_heads<float const> const& from, index_t count, index_t t, index_t d, int padded, float by = 1, bool as_they_are = true)
        : rows(from), heads_count(count), T(t), D(d), padded_D(padded), factor(by) {
        tile_source<Products> lies;
        if constexpr (std::is_same_v<element, bfloat16>) lies = rows.rounded;
        else lies = rows.whole;
        index_t const strides = lies.batch | lies.head | lies.position, in_sixteen_bytes = 16 / static_cast<index_t>(sizeof(element));
        lies_ready = as_they_are && lies.data && D == padded_D && strides % in_sixteen_bytes == 0 && reinterpret_cast<std::uintptr_t>(lies.data) % 16 == 0;
        if (lies_ready) source = lies;
    }
    /// How much room packing takes, of B sequences.
    index_t elements(index_t B) const { return lies_ready ? 0 : B * heads_count * T * padded_D; }
    void place(element const* memory) {
        if (!lies_ready) source = {memory, heads_count * T * padded_D, T * padded_D, padded_D};
    }
    template <class Device>
    void pack_into(Device device, index_t B, element* memory) {
        if (lies_ready) return;
        pack<Products>(device, rows, B, heads_count, T, D, padded_D, memory, factor);
        place(memory);
    }
};

/// q, k and v of a problem as tiles read them. What is to be multiplied by the scale of scores is what a block owns, queries or keys, in shared memory; by a
/// power of two that loses nothing. Where the scale is none, q is rounded once more, multiplied by it, and packed.
template <class Products>
struct tile_inputs {
    using element = typename Products::element;
    tile_input<Products> q, k, v;
    index_t B;
    float own_scale;

    tile_inputs(attention_problem<float> const& p, int D)
        : q(p.q, p.H, p.T, p.D, D, p.scale, is_power_of_two(p.scale)), k(p.k, p.kv_heads(), p.T, p.D, D), v(p.v, p.kv_heads(), p.T, p.D, D), B(p.B),
          own_scale(q.lies_ready ? p.scale : 1) {}
    /// Packs what must be into `memory`.
    template <class Device>
    void pack_into(Device device, tensor<std::byte, 1>& memory) {
        index_t elements = 0;
        for (auto const* x : all()) elements += x->elements(B);
        memory.resize(std::array{elements * static_cast<index_t>(sizeof(element))});
        each_in(memory.data(), [&](tile_input<Products>& x, std::byte* at) { x.pack_into(device, B, reinterpret_cast<element*>(at)); });
    }
    /// What forward has packed.
    void packed_in(std::byte const* memory) {
        each_in(memory, [&](tile_input<Products>& x, std::byte const* at) { x.place(reinterpret_cast<element const*>(at)); });
    }

private:
    static bool is_power_of_two(float x) {
        int exponent = 0;
        return std::frexp(x, &exponent) == 0.5f;
    }
    std::array<tile_input<Products>*, 3> all() { return {&q, &k, &v}; }
    template <class Byte, class Body>
    void each_in(Byte* memory, Body body) {
        for (auto* x : all()) {
            body(*x, memory);
            memory += x->elements(B) * static_cast<index_t>(sizeof(element));
        }
    }
};

}  // namespace attnlab::gpu
