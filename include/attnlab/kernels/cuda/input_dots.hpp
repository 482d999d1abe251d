#pragma once
#include <bit>
#include <cstdint>

#include <attnlab/kernels/cuda/few_columns.hpp>

/// \file
/// y = x w^T of few columns: a library's product of twelve columns takes several times as long as reading x does.

namespace attnlab::gpu {

/// x (n, c), w (outputs, c), y (n, outputs), of at most `Most` outputs. A block has 32 rows; its warps share the channels, since so much is on its way at once that none waits long.
template <class X, int Most>
struct input_dots {
    using products = products_of_rows<X>;
    static constexpr int warps = 4, rows = 32, columns = Most / 8;
    static constexpr int piece = 32, at_once = sizeof(X) > 2 ? 1 : 2;   ///< channels of a warp's product; pieces that are read before they are multiplied
    static constexpr int parts = sizeof(X) > 2 ? 1 : 2;   ///< of w: its upper half, and what is left, rounded: sums of gates along a sequence would show what one loses
    X const* x;
    float const* w;
    float* y;
    index_t n, c, outputs;

    constexpr index_t blocks() const { return (n + rows - 1) / rows; }
    constexpr index_t shared_bytes() const { return warps * rows * Most * static_cast<index_t>(sizeof(float)); }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        index_t const first = id * rows;
        int const last = static_cast<int>(n - first < rows ? n - first : rows) - 1;
        auto const sums = block.template shared<float>(warps * rows * Most);   // of each warp's channels
        block.each_warp([&](warp const& w_) {
            std::array<std::array<fragment_c<warp>, columns>, 2> sum;
            for (auto& of_rows : sum)
                for (auto& f : of_rows) clear<warp>(f);
            for (int k = piece * w_.index(); k < c; k += piece * warps * at_once) multiply(w_, first, last, k, sum);
            unrolled<2 * columns * 4>([&](int i) {
                int const m = i / 4 / columns, t = i / 4 % columns, e = i % 4;
                sums.put(w_, warp::each_lane([&](int lane) { return (w_.index() * rows + 16 * m + row_of(lane, e)) * Most + 8 * t + column_of(lane, e); }),
                         sum[static_cast<std::size_t>(m)][static_cast<std::size_t>(t)][static_cast<std::size_t>(e)]);
            });
        });
        block.each_warp([&](warp const& w_) {   // two rows at once, or one, a lane an output
            constexpr int together = warp_size / Most;
            for (int r = w_.index() * rows / warps; r < (w_.index() + 1) * rows / warps; r += together) {
                typename warp::number total(0.0f);
                for (int k = 0; k < warps; ++k) total += sums.get(w_, warp::each_lane([&](int lane) { return (k * rows + r) * Most + lane; }));
                warp::visit([&](int lane, int l) {
                    int const row = r + lane / Most, o = lane % Most;
                    if (row <= last && o < outputs) y[(first + row) * outputs + o] = total.v[l];
                });
            }
        });
    }

private:
    static constexpr float upper_half(float x) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffff0000u); }
    /// Adds the products of channels k to k + 31, and of those that the warp has next. Of rows beyond the last, the last one is read again.
    template <class Warp, class Sums>
    constexpr void multiply(Warp const& w_, index_t first, int last, int k, Sums& sum) const {
        using pair = typename products::template pair<Warp>;
        int const width = static_cast<int>(c), most = static_cast<int>(outputs);
        X const* const begin = x + first * c;
        eight<Warp, X> of_rows[at_once][4];   // rows g, g + 8, ...
        unrolled<at_once>([&](int p) {
            unrolled<4>([&](int r) {
                of_rows[p][r] = load_eight<Warp, X>([&](int lane) {
                    int const row = 8 * r + lane / 4, channel = k + p * piece * warps + 8 * (lane % 4);
                    return channel < width ? begin + (row < last ? row : last) * width + channel : nullptr;
                });
            });
        });
        unrolled<at_once>([&](int p) {
            fragment_b<Warp, products> right[columns][2][parts];
            unrolled<columns>([&](int t) {
                auto factors = load_eight<Warp, float>([&](int lane) {
                    int const o = 8 * t + lane / 4, channel = k + p * piece * warps + 8 * (lane % 4);
                    return channel < width && o < most ? w + o * width + channel : nullptr;
                });
                unrolled<parts>([&](int part) {
                    auto const taken = part + 1 < parts ? each(factors, [](float e) { return upper_half(e); }) : factors;   // by a lambda: a pointer to a function is the host's
                    auto const two = [&](int i) -> pair { return pair_of(w_, products{}, number_of<Warp>(taken, i), number_of<Warp>(taken, i + 1)); };
                    unrolled<2>([&](int s) { right[t][s][part] = {two(4 * s), two(4 * s + 2)}; });
                    factors = factors - taken;
                });
            });
            unrolled<2>([&](int m) {
                auto const two = [&](int r, int i) -> pair { return stored_pair(w_, number_of<Warp>(of_rows[p][r], i), number_of<Warp>(of_rows[p][r], i + 1)); };
                unrolled<2>([&](int s) {
                    fragment_a<Warp, products> const left{two(2 * m, 4 * s), two(2 * m + 1, 4 * s), two(2 * m, 4 * s + 2), two(2 * m + 1, 4 * s + 2)};
                    unrolled<columns>([&](int t) {
                        unrolled<parts>([&](int part) { multiply_add(w_, products{}, sum[static_cast<std::size_t>(m)][static_cast<std::size_t>(t)], left, right[t][s][part]); });
                    });
                });
            });
        });
    }
};

/// Whether it was few enough columns, of rows that are read eight channels at once: then y is made.
template <class Device, class X>
bool multiply_few(Device device, X const* x, float const* w, float* y, index_t n, index_t c, index_t outputs) {
    return takes_wide<8>(c, {x, w}) && with_few(outputs, [&]<int Most>(std::integral_constant<int, Most>) {
        input_dots<X, Most> const kernel{x, w, y, n, c, outputs};
        launch(device, kernel, kernel.blocks());
        return true;
    });
}
#ifdef __CUDACC__   // no policy's: compiled once (instances.hpp)
extern template bool multiply_few(cuda, float const*, float const*, float*, index_t, index_t, index_t);
extern template bool multiply_few(cuda, bfloat16 const*, float const*, float*, index_t, index_t, index_t);
#endif

}  // namespace attnlab::gpu
