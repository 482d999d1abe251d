#pragma once
#include <concepts>

#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

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

/// Where parts of sums lie: `count` of them `stride` numbers apart, each in `pieces` that are `apart`.
struct sum_parts {
    index_t count, stride, pieces = 1, apart = 0;
    constexpr index_t size() const { return count * pieces; }
    /// `body(places, count)` for those from `begin` on, in order, N at once; of fewer the first comes again.
    template <int N, class Body>
    constexpr void each(index_t begin, index_t end, Body body) const {
        index_t part = pieces == 1 ? begin : begin / pieces, piece = begin - part * pieces;
        for (index_t i = begin; i < end; i += N) {
            index_t places[N];
            index_t const first = part * stride + piece * apart;
            unrolled<N>([&](int k) {
                places[k] = i + k < end ? part * stride + piece * apart : first;
                if (++piece == pieces) piece = 0, ++part;
            });
            body(places, static_cast<int>(end - i < N ? end - i : N));
        }
    }
};

/// Adds the sums of all parts, (Arrays, c) each, to arrays of c numbers, those that are null left out.
template <int Arrays>
struct add_parts {
    static constexpr int warps = 16, at_once = 32;   ///< parts that a warp reads before it adds them: else it waits for each
    float const* sums;
    sum_parts parts;
    index_t c;
    float* to[Arrays];

    constexpr index_t shared_bytes() const { return warps * warp_size * static_cast<index_t>(sizeof(float)); }
    /// Block `id` has 32 columns; a warp adds adjacent parts.
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        index_t const begin = id * warp_size, width = Arrays * c - begin, all = parts.size(), each = (all + warps - 1) / warps;
        auto const total = block.template shared<float>(warps * warp_size);
        block.each_warp([&](auto const& w) {
            typename warp::number sum(0.0f);
            index_t const from = w.index() * each, to = from + each < all ? from + each : all;
            parts.template each<at_once>(from, to, [&](index_t const (&places)[at_once], int count) {
                typename warp::number x[at_once];
                unrolled<at_once>([&](int k) { x[k] = load<warp>(sums + places[k] + begin, k < count ? width : 0); });
                unrolled<at_once>([&](int k) { sum += x[k]; });
            });
            total.put(w, warp::each_lane([&](int lane) { return w.index() * warp_size + lane; }), sum);
        });
        block.each_warp([&](auto const& w) {
            if (w.index() != 0) return;
            typename warp::number sum(0.0f);
            for (int p = 0; p < warps; ++p) sum += total.get(w, warp::each_lane([&](int lane) { return p * warp_size + lane; }));
            warp::visit([&](int lane, int i) {
                index_t const at = begin + lane;
                for (int array = 0; array < Arrays; ++array)
                    if (array * c <= at && at < (array + 1) * c && to[array]) to[array][at - array * c] += sum.v[i];
            });
        });
    }
};
template <class Device, std::same_as<float*>... To>
void launch_add_parts(Device device, float const* sums, sum_parts parts, index_t c, To... to) {
    constexpr int arrays = sizeof...(to);
    launch(device, add_parts<arrays>{sums, parts, c, {to...}}, (arrays * c + warp_size - 1) / warp_size);
}

/// `body(at)` for the columns, from `first` on, that a warp of `Warps` takes of c, 32 N at once.
template <int N, int Warps, class Warp, class Body>
constexpr void each_column(Warp const& w, index_t c, Body body, index_t first = 0) {
    for (index_t at = first + w.index() * N * warp_size; at < c; at += Warps * N * warp_size) body(at);
}

/// `Count` sums down the columns of a part of the rows, for kernels whose warps have a row at a time: each warp adds up its own rows' as far as it holds
/// rows, in registers or in shared memory, `room`, where they are put together in the warps' order. Columns beyond are walked once more, a warp some columns.
template <int N, int Count, int Warps>
struct warp_sums {
    static constexpr index_t size = index_t{Warps} * Count * held_pieces * N * warp_size, bytes = size * static_cast<index_t>(sizeof(float));

    /// One of the sums in registers.
    template <class Warp>
    struct own {
        wide<Warp, N> of[held_pieces];
        constexpr own() {
            unrolled<held_pieces>([&](int k) { of[k] = wide<Warp, N>(0.0f); });
        }
    };
    /// Before a barrier: what a warp has of sum s.
    template <class Warp, class Shared>
    static constexpr void put(Warp const& w, Shared const& room, int s, own<Warp> const& x) {
        unrolled<held_pieces>([&](int k) { change<Warp>(w, k * Count + s, x.of[k], [&](auto const& at, auto const& v) { room.put(w, at, v); }); });
    }
    /// Adds to one that is in shared memory: piece k of sum s.
    template <class Warp, class Shared>
    static constexpr void add(Warp const& w, Shared const& room, int s, int k, wide<Warp, N> const& x) {
        change<Warp>(w, k * Count + s, x, [&](auto const& at, auto const& v) { room.put(w, at, room.get(w, at) + v); });
    }
    /// After the barrier: to (Count, c). `add(row, at, sums)` adds what columns from `at` on, beyond those held, have in a row of the part.
    template <class Warp, class Shared, class Add>
    static constexpr void finish(Warp const& w, Shared const& room, row_parts const& cut, index_t part, index_t c, float* to, Add add) {
        constexpr index_t wide_piece = N * warp_size;
        for (int k = w.index(); k < held_pieces && k * wide_piece < c; k += Warps)
            for (int s = 0; s < Count; ++s) store<Warp, N>(to + s * c + k * wide_piece, total(w, room, k * Count + s), c - k * wide_piece);
        each_column<N, Warps>(
            w, c,
            [&](index_t at) {
                wide<Warp, N> sums[Count];
                unrolled<Count>([&](int s) { sums[s] = wide<Warp, N>(0.0f); });
                for (index_t row = cut.begin(part), end = cut.end(part); row < end; ++row) add(row, at, sums);
                unrolled<Count>([&](int s) { store<Warp, N>(to + s * c + at, sums[s], c - at); });
            },
            held_pieces * wide_piece);
    }

private:
    /// `body(places, numbers)`: where the warp's own piece lies, and x.
    template <class Warp, class Body>
    static constexpr void change(Warp const& w, int piece, wide<Warp, N> const& x, Body body) {
        for (int k = 0; k < N; ++k) {
            typename Warp::number one;
            for (int i = 0; i < Warp::held; ++i) one.v[i] = x.v[N * i + k];
            body(place<Warp>(w.index(), piece, k), one);
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
    /// A lane's numbers lie 32 apart, so that lanes meet in no bank.
    template <class Warp>
    static constexpr typename Warp::whole place(int warp, int piece, int k) {
        return Warp::each_lane([&](int lane) { return ((warp * Count * held_pieces + piece) * N + k) * warp_size + lane; });
    }
};

/// Sums down c columns, by parts. Block `id` has 32 N columns a warp of one part, so that all warps have as much to do.
/// `numbers(warp, at, left)` are the 32 N of a row that begin `at` numbers into the array, `left` before the row's end; it may change the array.
template <int N, class Numbers>
struct sum_part {
    static constexpr int warps = 4;
    row_parts cut;
    index_t c;
    float* sums;   ///< (parts, c)
    Numbers numbers;

    constexpr index_t shared_bytes() const { return 0; }
    constexpr index_t blocks_a_part() const { return (c + warps * N * warp_size - 1) / (warps * N * warp_size); }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        index_t const part = id / blocks_a_part(), end = cut.end(part);
        block.each_warp([&](auto const& w) {
            index_t const at = (id % blocks_a_part() * warps + w.index()) * N * warp_size;
            if (at >= c) return;
            wide<warp, N> sum(0.0f);
            for (index_t row = cut.begin(part); row < end; ++row) sum += numbers(w, row * c + at, c - at);
            store<warp, N>(sums + part * c + at, sum, c - at);
        });
    }
};
/// to (c) += the sums down the columns of n rows of `numbers`.
template <int N, class Device, class Numbers>
void add_sums_of(Device device, index_t n, index_t c, Numbers const& numbers, float* to) {
    row_parts const cut(n);
    auto* const sums = scratch<partial_sums, float>(device, cut.count * c);
    sum_part<N, Numbers> const kernel{cut, c, sums, numbers};
    launch(device, kernel, cut.count * kernel.blocks_a_part());
    launch_add_parts(device, sums, {cut.count, c}, c, to);
}

/// The numbers of x; with `rounded`, x rounded to bfloat16 goes there on the way.
template <int N, class T>
struct rounded_numbers {
    T const* x;
    bfloat16* rounded;
    template <class Warp>
    constexpr wide<Warp, N> operator()(Warp const&, index_t at, index_t left) const {
        auto const v = load<Warp, N>(x + at, left);
        if (rounded) store<Warp, N>(rounded + at, v, left);
        return v;
    }
};
/// to (c) += the columns' sums of x (n, c); with `rounded` (n, c), x rounded to bfloat16 goes there.
template <class Device, class T>
void add_column_sums(Device device, view<T const, 2> x, float* to, bfloat16* rounded = nullptr) {
    with_width(x.shape(1), {x.data(), rounded}, [&](auto n) { add_sums_of<n>(device, x.shape(0), x.shape(1), rounded_numbers<n, T>{x.data(), rounded}, to); });
}

}  // namespace attnlab::gpu
