#pragma once
#include <attnlab/kernels/cuda/wide_rows.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>

/// \file
/// Sums down the columns of many rows without atomics: the rows are cut into parts by their number alone, each part has sums of its own, and
/// these are added in order.

namespace attnlab::gpu {

struct partial_sums;   ///< the purpose of memory

/// How n rows are cut.
struct row_parts {
    index_t rows, length, count;
    constexpr index_t begin(index_t part) const { return part * length; }
    constexpr index_t end(index_t part) const { return begin(part) + length < rows ? begin(part) + length : rows; }
    explicit row_parts(index_t n) : rows(n), length(std::max<index_t>(16, (n + most - 1) / most)), count((n + length - 1) / length) {}
    static constexpr index_t most = 512;   ///< some blocks for each multiprocessor of the largest GPUs
};

/// Where parts of a sum lie: `count` of them `stride` numbers apart, each in `pieces` that are `apart`.
struct sum_parts {
    index_t count, stride, pieces = 1, apart = 0;
    constexpr index_t size() const { return count * pieces; }
    constexpr index_t operator()(index_t i) const { return i / pieces * stride + i % pieces * apart; }
};

/// Adds the sums of all parts to the columns of `first`, and from column `split` on to those of
/// `second`, unless null.
struct add_parts {
    static constexpr int warps = 16;
    float const* sums;
    sum_parts parts;
    index_t columns, split;
    float *first, *second;

    constexpr index_t shared_bytes() const { return warps * warp_size * static_cast<index_t>(sizeof(float)); }
    /// Block `id` has 32 columns; a warp adds adjacent parts.
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        index_t const begin = id * warp_size, width = columns - begin, all = parts.size(), each = (all + warps - 1) / warps;
        auto const total = block.template shared<float>(warps * warp_size);
        block.each_warp([&](auto const& w) {
            typename warp::number sum(0.0f);
            index_t const from = w.index() * each, to = from + each < all ? from + each : all;
            for (index_t p = from; p < to; ++p) sum += load<warp>(sums + parts(p) + begin, width);
            total.put(w, warp::each_lane([&](int lane) { return w.index() * warp_size + lane; }), sum);
        });
        block.each_warp([&](auto const& w) {
            if (w.index() != 0) return;
            typename warp::number sum(0.0f);
            for (int p = 0; p < warps; ++p) sum += total.get(w, warp::each_lane([&](int lane) { return p * warp_size + lane; }));
            warp::visit([&](int lane, int i) {
                index_t const at = begin + lane;
                float* const to = at < split ? first + at : second + (at - split);
                if (at < columns && (at < split || second != nullptr)) *to += sum.v[i];
            });
        });
    }
};
template <class Device>
void launch_add_parts(Device device, float const* sums, index_t parts, index_t columns, index_t split, float* first, float* second) {
    launch(device, add_parts{sums, {parts, columns}, columns, split, first, second}, (columns + warp_size - 1) / warp_size);
}
/// The same of parts that lie anyhow, to one array.
template <class Device>
void launch_add_parts(Device device, float const* sums, sum_parts parts, index_t columns, float* to) {
    launch(device, add_parts{sums, parts, columns, columns, to, nullptr}, (columns + warp_size - 1) / warp_size);
}

/// `body(at)` for the columns, from `first` on, that a warp of `Warps` takes of c, 32 N at once.
template <int N, int Warps, class Warp, class Body>
constexpr void each_column(Warp const& w, index_t c, Body body, index_t first = 0) {
    for (index_t at = first + w.index() * N * warp_size; at < c; at += Warps * N * warp_size) body(at);
}

/// Sums that each warp of a block has of its own rows, in `Pieces` of 32 N columns, put together in shared memory, `size` numbers of it: every warp `put`s
/// its own, and after a barrier `total`s are known, the warps' sums added in their order.
template <int N, int Pieces, int Warps>
struct warp_sums {
    static constexpr index_t size = index_t{Warps} * Pieces * N * warp_size, bytes = size * static_cast<index_t>(sizeof(float));

    template <class Warp, class Shared>
    static constexpr void put(Warp const& w, Shared const& room, int piece, wide<Warp, N> const& x) {
        for (int k = 0; k < N; ++k) {
            typename Warp::number one;
            for (int i = 0; i < Warp::held; ++i) one.v[i] = x.v[N * i + k];
            room.put(w, place<Warp>(w.index(), piece, k), one);
        }
    }
    template <class Warp, class Shared>
    static constexpr wide<Warp, N> total(Warp const& w, Shared const& room, int piece) {
        wide<Warp, N> sum(0.0f);
        for (int from = 0; from < Warps; ++from)
            for (int k = 0; k < N; ++k) {
                auto const one = room.get(w, place<Warp>(from, piece, k));
                for (int i = 0; i < Warp::held; ++i) sum.v[N * i + k] += one.v[i];
            }
        return sum;
    }

private:
    /// A lane's numbers lie 32 apart, so that lanes meet in no bank.
    template <class Warp>
    static constexpr typename Warp::whole place(int warp, int piece, int k) {
        return Warp::each_lane([&](int lane) { return ((warp * Pieces + piece) * N + k) * warp_size + lane; });
    }
};

/// Sums down the columns of x (n, c), by parts; with `rounded`, x rounded to bfloat16 on the way.
template <int N, class T>
struct sum_part {
    static constexpr int warps = 8;
    row_parts cut;
    T const* x;
    index_t c;
    float* sums;   ///< (parts, c)
    bfloat16* rounded;

    constexpr index_t shared_bytes() const { return 0; }
    template <class Block>
    constexpr void operator()(Block& block, index_t part) const {
        using warp = typename Block::warp;
        index_t const begin = cut.begin(part), end = cut.end(part);
        block.each_warp([&](auto const& w) {
            each_column<N, warps>(w, c, [&](index_t at) {
                wide<warp, N> sum(0.0f);
                for (index_t row = begin; row < end; ++row) {
                    auto const v = load<warp, N>(x + row * c + at, c - at);
                    sum += v;
                    if (rounded) store<warp, N>(rounded + row * c + at, v, c - at);
                }
                store<warp, N>(sums + part * c + at, sum, c - at);
            });
        });
    }
};
/// to (c) += the columns' sums of x (n, c); with `rounded` (n, c), x rounded to bfloat16 goes there.
template <class Device, class T>
void add_column_sums(Device device, view<T const, 2> x, float* to, bfloat16* rounded = nullptr) {
    index_t const c = x.shape(1);
    row_parts const cut(x.shape(0));
    auto* const sums = scratch<partial_sums, float>(device, cut.count * c);
    with_width(c, {x.data(), rounded}, [&](auto n) { launch(device, sum_part<n, T>{cut, x.data(), c, sums, rounded}, cut.count); });
    launch_add_parts(device, sums, cut.count, c, c, to, nullptr);
}

}  // namespace attnlab::gpu
