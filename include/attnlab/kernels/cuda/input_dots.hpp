#pragma once
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// A matrix product of few columns, y = x w^T: it takes as long as reading x, once, where a library's float32 product of twelve columns takes several times that.

namespace attnlab::gpu {

/// x (n, c), w (outputs, c), y (n, outputs), of at most `Most` outputs. w lies in shared memory, of which a warp uses what it reads for `rows` of x, 128 channels at once.
template <int Most>
struct input_dots {
    static constexpr int N = 4, warps = 8, rows = Most > 16 ? 2 : 4;   ///< as many sums as registers have room for
    static constexpr int resident = 2;                          ///< blocks of a multiprocessor: more have no registers for what comes next
    float const *x, *w;
    float* y;
    index_t n, c, outputs;
    index_t blocks = as_many_as_run();   ///< known before the kernel starts, which would divide for it

    constexpr index_t shared_bytes() const { return outputs * c * static_cast<index_t>(sizeof(float)); }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        auto const near = block.template shared<float>(outputs * c);
        block.each_warp([&](auto const& w_) {
            for (index_t i = w_.index() * 4 * warp_size; i < outputs * c; i += warps * 4 * warp_size)
                near.copy_async(w_, warp::each_lane([&](int lane) { return static_cast<int>(i) + 4 * lane; }), warp::each_lane([&](int lane) { return w + i + 4 * lane; }),
                                warp::each_lane([&](int lane) { return i + 4 * lane < outputs * c; }));
            block.commit(w_);
            block.wait(w_, 0);
        });
        block.each_warp([&](auto const& w_) {
            float const* const factors = near.reads(w_, 0, outputs * c);
            for (index_t first = (id * warps + w_.index()) * rows; first < n; first += blocks * warps * rows) some<warp>(factors, first);
        });
    }

private:
    /// As many as an H100 has at once, or fewer: each brings w to shared memory once.
    constexpr index_t as_many_as_run() const {
        index_t const room = blocks_in_shared_memory(shared_bytes()), most = (room < resident ? room : resident) * multiprocessors, needed = (n + warps * rows - 1) / (warps * rows);
        return needed < most ? needed : most;
    }
    /// Rows first, ... : of those beyond the last, the last one is read again and nothing is written.
    template <class Warp>
    constexpr void some(float const* factors, index_t first) const {
        using number = typename Warp::number;
        number sums[rows][Most];
        for (auto& of_row : sums)
            for (number& sum : of_row) sum = number(0.0f);
        int const width = static_cast<int>(c), last = static_cast<int>(n - 1 - first), most = static_cast<int>(outputs) - 1;
        float const* const begin = x + first * c;
        struct piece {
            wide<Warp, N> of_row[rows];
        };
        auto const read = [&](int i) {
            piece p;
            unrolled<rows>([&](int r) { p.of_row[r] = load<Warp, N>(begin + (r < last ? r : last) * width + i, width - i); });
            return p;
        };
        piece next = read(0);
        for (int i = 0; i < width; i += N * warp_size) {
            piece const now = next;
            next = read(i + N * warp_size);   // on its way while this one is multiplied; beyond the row nothing is read
            // Beyond the row x is 0, and what it is multiplied by is the piece's first; of fewer outputs the last comes again: a question each would cost more.
            auto const own = Warp::each_lane([&](int lane) { return factors + i + (N * lane < width - i ? N * lane : 0); });
            unrolled<Most>([&](int o) {
                wide<Warp, N> factor;
                Warp::visit([&](int, int l) {
                    auto const a = *reinterpret_cast<detail::adjacent<float, N> const*>(own.v[l] + (o < most ? o : most) * width);
                    for (int k = 0; k < N; ++k) factor.v[N * l + k] = a.v[k];
                });
                unrolled<rows>([&](int r) {
                    for (int l = 0; l < Warp::held; ++l)
                        for (int k = 0; k < N; ++k) sums[r][o].v[l] += now.of_row[r].v[N * l + k] * factor.v[N * l + k];
                });
            });
        }
        unrolled<rows>([&](int r) {
            number mine(0.0f);   // of lane o: output o
            unrolled<Most>([&](int o) {
                float const total = sum<Warp>(sums[r][o]);
                Warp::visit([&](int lane, int l) {
                    if (lane == o) mine.v[l] = total;
                });
            });
            if (first + r < n) store<Warp>(y + (first + r) * outputs, mine, outputs);
        });
    }
};
/// `run(std::integral_constant<int, Most>{})` of kernels for at most so many outputs; false where they are more.
template <class Run>
bool with_few(index_t outputs, Run run) {
    if (outputs <= 12) return run(std::integral_constant<int, 12>{});
    if (outputs <= 16) return run(std::integral_constant<int, 16>{});
    return outputs <= 32 && run(std::integral_constant<int, 32>{});
}
/// Whether it was few enough columns, of rows on sixteen bytes and a w that shared memory holds: then y is made.
template <class Device>
bool multiply_few(Device device, float const* x, float const* w, float* y, index_t n, index_t c, index_t outputs) {
    return takes_wide<4>(c, {x, w}) && with_few(outputs, [&]<int Most>(std::integral_constant<int, Most>) {
        input_dots<Most> const kernel{x, w, y, n, c, outputs};
        if (kernel.shared_bytes() > most_shared_bytes) return false;
        launch(device, kernel, kernel.blocks);
        return true;
    });
}

}  // namespace attnlab::gpu
