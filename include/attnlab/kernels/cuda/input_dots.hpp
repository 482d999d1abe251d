#pragma once
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// A matrix product of few columns, y = x w^T: it takes as long as reading x, once, where a library's float32 product of twelve columns takes several times that.

namespace attnlab::gpu {

/// x (n, c), w (outputs, c), y (n, outputs), of at most `Most` outputs. 8 lanes have two rows, and as many sums of each as there are outputs; x comes a step
/// ahead, and w, which all read, from the first cache.
template <int N, int Most>
struct input_dots {
    static constexpr int warps = 4, lanes = 8, rows = 2, rows_of_block = warps * warp_size / lanes * rows;
    float const *x, *w;
    float* y;
    index_t n, c, outputs;

    constexpr index_t shared_bytes() const { return 0; }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        block.template each_group<lanes>([&]<class Group>(Group const& g) {
            using number = typename Group::number;
            constexpr index_t step = N * lanes;
            index_t const first = id * rows_of_block + g.index() * rows;
            number sums[rows][Most];
            for (auto& of_row : sums)
                for (number& sum : of_row) sum = number(0.0f);
            // Beyond the last row, or output, the last one is read once more and nothing is written: lanes of a warp stay together.
            auto const read = [&](int r, index_t i) { return load<Group, N>(x + (first + r < n ? first + r : n - 1) * c + i, c - i); };
            wide<Group, N> next[rows] = {read(0, 0), read(1, 0)};
            for (index_t i = 0; i < c; i += step) {
                wide<Group, N> const now[rows] = {next[0], next[1]};
                unrolled<rows>([&](int r) { next[r] = read(r, i + step); });
                g.sync();   // or nvcc would have them wait for the products
                unrolled<Most>([&](int o) {
                    auto const of_output = load<Group, N>(w + (o < outputs ? o : outputs - 1) * c + i, c - i);
                    unrolled<rows>([&](int r) {
                        for (int l = 0; l < Group::held; ++l)
                            for (int k = 0; k < N; ++k) sums[r][o].v[l] += now[r].v[N * l + k] * of_output.v[N * l + k];
                    });
                });
            }
            unrolled<rows>([&](int r) {
                unrolled<Most>([&](int o) {
                    float const total = sum<Group>(sums[r][o]);
                    Group::visit([&](int lane, int) {
                        if (lane == o % lanes && o < outputs && first + r < n) y[(first + r) * outputs + o] = total;
                    });
                });
            });
        });
    }
};
/// Whether it was few enough columns, of rows on sixteen bytes and a w that the first cache holds: then y is made.
template <class Device>
bool multiply_few(Device device, float const* x, float const* w, float* y, index_t n, index_t c, index_t outputs) {
    constexpr index_t cached = 1 << 15;
    bool done = false;
    with_width(c, {x, w}, [&](auto width) {
        if constexpr (width == 4) {
            auto const run = [&]<int Most>(std::integral_constant<int, Most>) {
                using kernel = input_dots<width, Most>;
                if (done || outputs > Most || outputs * c > cached) return;
                launch(device, kernel{x, w, y, n, c, outputs}, (n + kernel::rows_of_block - 1) / kernel::rows_of_block);
                done = true;
            };
            run(std::integral_constant<int, 12>{}), run(std::integral_constant<int, 16>{}), run(std::integral_constant<int, 32>{});
        }
    });
    return done;
}

}  // namespace attnlab::gpu
