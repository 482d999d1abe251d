#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/input_products.hpp>
#include <attnlab/kernels/cuda/row_lanes.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>

/// \file
/// What a policy does token by token: a block walks the tokens of its part, so that gradients of parameters are sums in a fixed order. Its warps share the heads
/// of a token; where heads add to one gradient by x, one warp walks them, so that it needs no atomic.

namespace attnlab::gpu {

struct for_copies;   ///< the purpose of memory

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

/// Copies of the gradients of a policy's parameters, each with all heads', one parameter after the other: (copies, numbers). One that heads
/// share has room for each of them, since they are walked at once; what is read through products has its gradient from there (input_products.hpp).
template <class Policy>
struct gradient_copies {
    float* all = nullptr;
    index_t copies = 0, numbers = 0;
    std::array<index_t, Policy::parameter_count + 1> offset{}, of_head{};   ///< of each parameter: where it begins, and how many numbers a head has

    static constexpr gradient_copies of(head_sizes n, index_t copies) {
        gradient_copies g;
        g.copies = copies;
        std::size_t i = 0;
        std::apply(
            [&]<class... P>(P const&... p) {
                ((g.offset[i] = g.numbers, g.of_head[i] = is_multiplied<Policy, P> ? 0 : p.per_head(n), g.numbers += n.heads * g.of_head[i], ++i), ...);
            },
            Policy::parameters);
        return g;
    }
    constexpr index_t size() const { return copies * numbers; }
    /// Where copy i has the gradients of head h.
    constexpr std::array<float*, Policy::parameter_count + 1> at(index_t h, index_t i) const {
        std::array<float*, Policy::parameter_count + 1> out{};
        for (std::size_t k = 0; k < Policy::parameter_count; ++k) out[k] = all + i * numbers + offset[k] + h * of_head[k];
        return out;
    }
};

/// Adds all copies, in an order that depends on their number alone, to the parameters' gradients.
template <class Policy, class Device>
void take_gradients(Device device, gradient_copies<Policy> const& g, head_sizes n, std::vector<float*> const& to) {
    std::size_t i = 0;
    std::apply(
        [&]<class... P>(P const&... p) {
            [[maybe_unused]] auto const take = [&]<class Q>(Q const&) {
                index_t const heads_at_once = Q::shared ? 1 : n.heads, columns = heads_at_once * g.of_head[i];
                if (columns > 0)
                    for (index_t h = 0; h < n.heads; h += heads_at_once)
                        launch_add_parts(device, g.all + g.offset[i] + h * g.of_head[i], g.copies, g.numbers, columns, to[i]);
                ++i;
            };
            (take(p), ...);
        },
        Policy::parameters);
}

/// How many warps share the heads of a token.
template <class Policy>
inline constexpr int warps_of_token = Policy::adds_to_input ? 1 : 4;

/// The scratch memory of a warp holds two rows of D, and the angles of a token (row_lanes.hpp); `visitor(warp, row, part, b, h, t)` for the heads of each token of a part.
template <class Policy, class Visitor>
struct token_kernel {
    static constexpr int warps = warps_of_token<Policy>;
    tile_problem<Policy> p;
    index_t heads, parts;
    Visitor visitor;
    input_products<Policy> products;
    gradient_copies<Policy> copies;   ///< one a part, on the way back: assigned where they are `near`, else added to
    float* d_input;                   ///< (B, T, C), or null

    constexpr index_t shared_floats() const { return 3 * p.D + 2; }   ///< of a warp
    /// Whether a part gathers its gradients in shared memory.
    constexpr bool near() const { return copies.all != nullptr && copies.numbers <= 12 * 1024; }
    constexpr index_t near_floats() const { return near() ? copies.numbers : 0; }
    constexpr index_t shared_bytes() const { return (warps * shared_floats() + near_floats()) * static_cast<index_t>(sizeof(float)) + 32; }
    template <class Block>
    constexpr void operator()(Block& block, index_t part) const {
        auto const room = block.template shared<float>(warps * shared_floats()), sums = block.template shared<float>(near_floats());
        block.each_warp([&]<class Warp>(Warp const& w) {
            float* const scratch = room.writes(w, w.index() * shared_floats(), shared_floats());
            Warp::once([&] { scratch[3 * p.D] = scratch[3 * p.D + 1] = 0; });   // angles of no rotation
            auto mine = copies;
            if (near()) {
                mine.all = sums.writes(w, 0, 0);
                each_number(w, [&](index_t i) { mine.all[i] = 0; });
            }
            w.sync();
            index_t const tokens = p.B * p.T;
            for (index_t bt = tokens * part / parts; bt < tokens * (part + 1) / parts; ++bt)
                for (index_t h = w.index(); h < heads; h += warps) {
                    auto const values = attnlab::detail::of_head<Policy>(p.parameters, p.sizes(), h);
                    auto row = p.template row<Policy>(bt / p.T, h, bt % p.T, values.data());
                    row.heads = heads;
                    row.scratch = scratch;
                    typename input_products<Policy>::of_row own;
                    products.look(row, own, bt, h);
                    auto const gradients = mine.at(h, near() ? 0 : part);
                    row.gradients = gradients.data();
                    row.d_input = d_input ? d_input + bt * row.width : nullptr;
                    visitor(w, row, part, bt / p.T, h, bt % p.T);
                    w.sync();
                }
            if (near()) each_number(w, [&](index_t i) { copies.all[part * copies.numbers + i] = mine.all[i]; });
        });
    }

private:
    /// `body(i)` for the numbers of the heads that a warp has, a lane a number.
    template <class Warp, class Body>
    constexpr void each_number(Warp const& w, Body body) const {
        for (std::size_t k = 0; k < Policy::parameter_count; ++k)
            for (index_t h = w.index(); h < p.H; h += warps)
                for (index_t first = 0; first < copies.of_head[k]; first += warp_size)
                    Warp::visit([&](int lane, int) {
                        if (first + lane < copies.of_head[k]) body(copies.offset[k] + h * copies.of_head[k] + first + lane);
                    });
    }
};
/// On the way forward every token is a part.
template <class Policy, class Device, class Visitor>
void each_token(Device device, attention_problem<float> const& p, index_t heads, input_products<Policy> const& products, Visitor const& visitor) {
    index_t const parts = p.B * p.T;
    launch(device, token_kernel<Policy, Visitor>{portable<Policy>(p), heads, parts, visitor, products, {}, nullptr}, parts);
}
/// On the way back each part has gradients of its own: as many as there is room for, and as a GPU runs at once, twice.
template <class Policy>
index_t backward_parts(attention_problem<float> const& p) {
    index_t const numbers = gradient_copies<Policy>::of(p.sizes(), 1).numbers, room = 1 << 22;
    return std::min(p.B * p.T, std::clamp<index_t>(room / std::max<index_t>(numbers, 1), 512, 2112));
}
/// Copies for parts of tokens, or of tiles.
template <class Policy, class Device>
gradient_copies<Policy> room_for_copies(Device device, head_sizes n, index_t count) {
    auto copies = gradient_copies<Policy>::of(n, count);
    copies.all = scratch<for_copies, float>(device, copies.size());
    return copies;
}
/// Every token's heads on the way back, with gradients of x and of parameters.
template <class Policy, class Device, class Visitor>
void each_token_back(Device device, attention_problem<float> const& p, index_t heads, input_products<Policy> const& products, attention_gradients<float> const& gradients,
                     Visitor const& visitor) {
    auto const copies = room_for_copies<Policy>(device, p.sizes(), backward_parts<Policy>(p));
    token_kernel<Policy, Visitor> const kernel{portable<Policy>(p), heads, copies.copies, visitor, products, copies, gradients.input};
    if (!kernel.near() && copies.size() > 0) fill_zero(device, copies.all, copies.size());
    launch(device, kernel, copies.copies);
    take_gradients<Policy>(device, copies, p.sizes(), gradients.parameters);
}

}  // namespace attnlab::gpu
