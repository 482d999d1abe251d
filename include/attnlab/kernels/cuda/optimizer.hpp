#pragma once
#include <algorithm>
#include <array>
#include <span>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/optimizer_rules.hpp>

/// \file
/// A step of the optimizer, and the norm of the gradients. A launch takes many parameters, whose arrays travel as its arguments.

namespace attnlab {

namespace gpu {

struct sums_of_blocks;   ///< the purpose of memory

/// Numbers a block walks.
inline constexpr index_t block_numbers = 1 << 14;
constexpr index_t blocks_of(index_t n) { return (n + block_numbers - 1) / block_numbers; }

/// Rules over up to 32 parameters: their blocks one after another.
template <class Rule>
struct update_parameters {
    static constexpr int warps = 8, most = 32;   // 4 KiB of arguments hold no more
    parameter_update<Rule, float> all[most];
    index_t first_block[most];
    int count;

    constexpr index_t shared_bytes() const { return 0; }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        int which = 0;
        while (which + 1 < count && first_block[which + 1] <= id) ++which;
        parameter_update<Rule, float> const& u = all[which];
        index_t const begin = (id - first_block[which]) * block_numbers, end = begin + block_numbers < u.n ? begin + block_numbers : u.n;
        // Every parameter begins on a line; the last numbers of one may be fewer than four.
        index_t const whole = begin + (end - begin) / 4 * 4;
        block.each_warp([&](auto const& w) {
            walk<4>(w, u, begin, whole);
            if (w.index() == 0) walk<1>(w, u, whole, end);
        });
    }

private:
    template <int N, class Warp>
    static constexpr void walk(Warp const& w, parameter_update<Rule, float> const& u, index_t begin, index_t end) {
        index_t const stride = (N == 1 ? 1 : warps) * N * warp_size;
        for (index_t at = begin + (N == 1 ? 0 : w.index()) * N * warp_size; at < end; at += stride) {
            index_t const left = end - at;
            auto const g = load<Warp, N>(u.gradient + at, left);
            auto value = load<Warp, N>(u.value + at, left), first = load<Warp, N>(u.first + at, left);
            if constexpr (requires(float x) { u.rule(x, x, x, x); }) {
                auto second = load<Warp, N>(u.second + at, left);
                for (int i = 0; i < N * Warp::held; ++i) u.rule(g.v[i], value.v[i], first.v[i], second.v[i]);
                store<Warp, N>(u.second + at, second, left);
            } else {
                for (int i = 0; i < N * Warp::held; ++i) u.rule(g.v[i], value.v[i], first.v[i]);
            }
            store<Warp, N>(u.value + at, value, left);
            store<Warp, N>(u.first + at, first, left);
        }
    }
};

/// Sums of squares, or of numbers, over blocks of adjacent ones, in double: sums[i] of the i-th `block_numbers`.
template <class T, bool Square>
struct sum_blocks {
    static constexpr int warps = 8;
    index_t n;
    T const* x;
    double* sums;

    constexpr index_t shared_bytes() const { return warps * static_cast<index_t>(sizeof(double)); }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        using doubles = typename warp::template lanes<double>;
        index_t const begin = id * block_numbers, end = begin + block_numbers < n ? begin + block_numbers : n;
        auto const totals = block.template shared<double>(warps);
        block.each_warp([&](auto const& w) {
            doubles sum(0.0);
            for (index_t at = begin + w.index() * warp_size; at < end; at += warps * warp_size)
                sum += warp::each_lane([&](int lane) {
                    auto const v = at + lane < end ? static_cast<double>(x[at + lane]) : 0.0;
                    return Square ? v * v : v;
                });
            double const total = warp::template butterfly<warp_size, 1>(sum, [](double a, double b) { return a + b; }).v[0];
            warp::once([&] { *totals.writes(w, w.index(), 1) = total; });
        });
        block.each_warp([&](auto const& w) {
            if (w.index() != 0) return;
            double total = 0;
            for (int i = 0; i < warps; ++i) total += totals.one(w, i);
            warp::once([&] { sums[id] = total; });
        });
    }
};

template <class Rule, class Device>
void update_all(Device device, std::span<parameter_update<Rule, float> const> updates) {
    for (std::size_t begin = 0; begin < updates.size(); begin += update_parameters<Rule>::most) {
        auto const some = updates.subspan(begin, std::min<std::size_t>(update_parameters<Rule>::most, updates.size() - begin));
        update_parameters<Rule> kernel{};
        index_t blocks = 0;
        for (auto const& u : some) {
            kernel.all[kernel.count] = u;
            kernel.first_block[kernel.count++] = blocks;
            blocks += blocks_of(u.n);
        }
        launch(device, kernel, blocks);
    }
}

}  // namespace gpu

/// A rule over each of the parameters. Arrays begin on sixteen bytes.
template <cuda_device Device>
void adamw_step(Device device, std::span<parameter_update<adamw_rule<float>, float> const> updates) {
    gpu::update_all(device, updates);
}
template <cuda_device Device>
void momentum_step(Device device, std::span<parameter_update<momentum_rule<float>, float> const> updates) {
    gpu::update_all(device, updates);
}

/// sum_i x_i^2, added up in double, in the same order each time. Waits for its result.
template <cuda_device Device>
double sum_of_squares(Device device, view<float const, 1> x) {
    if (x.size() == 0) return 0;
    // 2^28 numbers in two floors of blocks, 2^42 in three.
    index_t const count = gpu::blocks_of(x.size()), above = gpu::blocks_of(count);
    double* const total = gpu::result<double>(device);
    double* const sums = gpu::scratch<gpu::sums_of_blocks, double>(device, count + above);
    gpu::launch(device, gpu::sum_blocks<float, true>{x.size(), x.data(), sums}, count);
    gpu::launch(device, gpu::sum_blocks<double, false>{count, sums, above == 1 ? total : sums + count}, above);
    if (above > 1) gpu::launch(device, gpu::sum_blocks<double, false>{above, sums + count, total}, 1);
    synchronize(device);
    return *total;
}

}  // namespace attnlab
