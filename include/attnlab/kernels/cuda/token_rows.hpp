#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include <attnlab/kernels/cuda/row_lanes.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>

/// \file
/// What a policy does token by token: a warp walks the heads of a token, so that gradients by x need no atomic, and the tokens of its part,
/// so that gradients of parameters are sums in a fixed order.

namespace attnlab::gpu {

/// The problem as kernels take it along.
template <class Policy>
tile_problem<Policy> portable(attention_problem<float> const& p) {
    tile_problem<Policy> out;
    static_cast<attention_context&>(out) = p;
    out.B = p.B, out.H = p.H, out.T = p.T, out.D = p.D, out.H_kv = p.H_kv, out.width = p.width, out.scale = p.scale;
    out.q = p.q, out.k = p.k, out.v = p.v, out.input = p.input;
    out.parameters = {};
    std::copy(p.parameters.begin(), p.parameters.end(), out.parameters.begin());
    return out;
}

/// Copies of the gradients of a policy's parameters that belong to a head, one after the other: (H, copies, numbers). Those of matrices are
/// products of their own.
template <class Policy>
struct gradient_copies {
    float* all = nullptr;
    index_t copies = 0, numbers = 0;
    std::array<index_t, Policy::parameter_count + 1> offset{};

    static constexpr gradient_copies of(head_sizes n, index_t copies) {
        gradient_copies g;
        g.copies = copies;
        std::size_t i = 0;
        std::apply(
            [&]<class... P>(P const&... p) {
                ((g.offset[i++] = g.numbers, g.numbers += requires { typename P::matrix_tag; } ? 0 : p.per_head(n)), ...);
            },
            Policy::parameters);
        return g;
    }
    constexpr index_t size(index_t heads) const { return heads * copies * numbers; }
    /// Where copy i of head h has the parameters' gradients.
    constexpr std::array<float*, Policy::parameter_count + 1> at(index_t h, index_t i) const {
        std::array<float*, Policy::parameter_count + 1> out{};
        for (std::size_t k = 0; k < Policy::parameter_count; ++k) out[k] = all + (h * copies + i) * numbers + offset[k];
        return out;
    }
};

/// Adds, in each group, copies i, i + 1, ... of a block of 32 to the first of them; a warp takes 32 numbers.
struct add_copies_program {
    float* all;
    index_t copies, stride, numbers, group;   ///< copies are `stride` records apart, groups `group` records

    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        index_t const chunks = (numbers + warp_size - 1) / warp_size, blocks = (copies + 31) / 32;
        index_t const chunk = row % chunks, block = row / chunks % blocks, g = row / chunks / blocks;
        float* const record = all + (g * group + block * 32 * stride) * numbers;
        Warp::visit([&](int lane, int) {
            index_t const c = chunk * warp_size + lane;
            if (c >= numbers) return;
            float sum = record[c];
            for (index_t i = 1; i < std::min<index_t>(32, copies - block * 32); ++i) sum += record[i * stride * numbers + c];
            record[c] = sum;
        });
    }
};
/// to[h][...] += the sum of the copies of head h; of a parameter that heads share, of all heads.
struct take_copies_program {
    float const* all;
    float* to;
    index_t heads, group, numbers, offset, of_head;
    bool shared;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t h) const {
        for (index_t from = shared ? 0 : h; from < (shared ? heads : h + 1); ++from)
            Warp::visit([&](int lane, int) {
                for (index_t c = lane; c < of_head; c += warp_size) to[(shared ? 0 : h * of_head) + c] += all[from * group * numbers + offset + c];
            });
    }
};
/// Sums all copies, in an order that depends on their number alone, and adds them to the parameters' gradients.
template <class Policy, class Device>
void take_gradients(Device device, gradient_copies<Policy> const& g, head_sizes n, std::vector<float*> const& to) {
    if (g.numbers == 0) return;
    index_t const chunks = (g.numbers + warp_size - 1) / warp_size;
    // Groups keep their room; after each round the sums are 32 times as far apart.
    for (index_t left = g.copies, stride = 1; left > 1; left = (left + 31) / 32, stride *= 32)
        launch_rows(device, n.heads * ((left + 31) / 32) * chunks, add_copies_program{g.all, left, stride, g.numbers, g.copies});
    std::size_t i = 0;
    std::apply(
        [&]<class... P>(P const&... p) {
            [[maybe_unused]] auto const take = [&]<class Q>(Q const& q) {
                if constexpr (!requires { typename Q::matrix_tag; })
                    launch_rows(device, Q::shared ? 1 : n.heads,
                                take_copies_program{g.all, to[i], n.heads, g.copies, g.numbers, g.offset[i], q.per_head(n), Q::shared});
                ++i;
            };
            (take(p), ...);
        },
        Policy::parameters);
}

/// A block of one warp whose scratch memory holds two rows of D; `visit(row, b, h, t)` of a `Visitor` for the heads of each token of a part.
template <class Policy, class Visitor>
struct token_kernel {
    static constexpr int warps = 1;
    tile_problem<Policy> p;
    index_t heads, parts;
    Visitor visitor;

    constexpr index_t shared_bytes() const { return 2 * p.D * static_cast<index_t>(sizeof(float)) + 16; }
    template <class Block>
    constexpr void operator()(Block& block, index_t part) const {
        auto const room = block.template shared<float>(2 * p.D);
        block.each_warp([&](auto const& w) {
            index_t const tokens = p.B * p.T;
            for (index_t bt = tokens * part / parts; bt < tokens * (part + 1) / parts; ++bt)
                for (index_t h = 0; h < heads; ++h) {
                    auto const values = attnlab::detail::of_head<Policy>(p.parameters, p.sizes(), h);
                    auto row = p.template row<Policy>(bt / p.T, h, bt % p.T, values.data());
                    row.heads = heads;
                    row.scratch = room.writes(w, 0, 2 * p.D);
                    visitor(w, row, part, bt / p.T, h, bt % p.T);
                    w.sync();
                }
        });
    }
};
/// On the way forward every token is a part; on the way back there are at most 512, each with gradients of its own.
inline constexpr index_t most_parts = 512;
template <class Policy, class Device, class Visitor>
void each_token(Device device, attention_problem<float> const& p, index_t heads, index_t parts, Visitor const& visitor) {
    launch(device, token_kernel<Policy, Visitor>{portable<Policy>(p), heads, parts, visitor}, parts);
}
inline index_t backward_parts(attention_problem<float> const& p) { return std::min(p.B * p.T, most_parts); }

}  // namespace attnlab::gpu
