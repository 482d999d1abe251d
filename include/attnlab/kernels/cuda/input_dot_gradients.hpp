#pragma once
#include <algorithm>

#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/few_columns.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>

/// \file
/// The way back through y = x w^T of few columns (input_dots.hpp): gradients by x and by w at once, which takes as long as reading x and writing its gradient.
/// Where x lies rounded, w and dy are rounded as well.

namespace attnlab::gpu {

/// From dy (n, outputs), of at most `Most` outputs: dx = dy w, or is added to, and the parts' dy^T x. A block has 64 channels and a part of the rows, shared by its warps, sixteen at once.
template <class X, class D, int Most>
struct input_dot_gradients {
    using products = products_of_rows<X>;
    using element = typename products::element;
    static constexpr int warps = 4, resident = Most > 16 || sizeof(X) > 2 ? 2 : 3, rows = 16, channels = 64, steps = Most / 16;
    static constexpr int stride = Most + 8;   ///< of dy in shared memory: eight rows of sixteen bytes meet in no bank
    X const* x;
    float const *w, *dy;
    D* dx;          ///< (n, c), or null
    bool add;       ///< to what is there
    float* parts;   ///< (parts, outputs, c), assigned
    index_t n, c, outputs;

    constexpr index_t slices() const { return (c + channels - 1) / channels; }
    /// Parts: as many as an H100 has blocks of at once; fewer, where rows are few; more, where numbers of 32 bits would not reach all that a warp has.
    constexpr index_t count() const {
        index_t const at_once = resident * multiprocessors / slices(), reached = n * c / (index_t{warps} << 30) + 1, needed = (n + warps * rows - 1) / (warps * rows);
        return std::min(needed, std::max(at_once, reached));
    }
    constexpr index_t blocks() const { return count() * slices(); }
    constexpr index_t shared_bytes() const { return (warps + 1) * Most * room * static_cast<index_t>(sizeof(float)) + warps * rows * stride * static_cast<index_t>(sizeof(element)); }
    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using warp = typename Block::warp;
        index_t const part = id / slices(), first = id % slices() * channels, all = count() * warps * rows, length = (n + all - 1) / all * rows;
        auto const sums = block.template shared<float>(warps * Most * room), of_w = block.template shared<float>(Most * room);
        auto const upstream = block.template shared<element>(warps * rows * stride);
        block.each_warp([&](warp const& w_) {
            for (int o = w_.index(); o < Most; o += warps)
                unrolled<channels / warp_size>([&](int piece) {
                    auto const x = load<warp>(w + o * c + first + piece * warp_size, o < outputs ? c - first - piece * warp_size : 0);
                    of_w.put(w_, warp::each_lane([&](int lane) { return o * room + piece * warp_size + lane; }), x);
                });
        });
        block.each_warp([&](warp const& w_) {
            factors<warp> const factor = load_factors(w_, of_w);
            by_w<warp> total;
            for (auto& of_channels : total)
                for (auto& f : of_channels) clear<warp>(f);
            index_t const begin = (part * warps + w_.index()) * length, left = n - begin < length ? n - begin : length;
            if (left > 0) {
                rows_of_warp const mine{x + begin * c + first, dy + begin * outputs, dx ? dx + begin * c + first : nullptr, static_cast<int>(left), static_cast<int>(c - first)};
                auto next = read<warp>(mine, 0);
                for (int t = 0; t < mine.count; t += rows) {
                    auto const now = next;
                    next = read<warp>(mine, t + rows);   // on its way while this is used
                    use(w_, upstream, now, mine, t, factor, total);
                }
            }
            unrolled<4 * (Most / 8) * 4>([&](int i) {
                int const m = i / 4 / (Most / 8), o = i / 4 % (Most / 8), e = i % 4;
                sums.put(w_, warp::each_lane([&](int lane) { return (w_.index() * Most + 8 * o + column_of(lane, e)) * room + where(8 * (lane / 4) + 2 * m + e / 2); }),
                         total[static_cast<std::size_t>(m)][static_cast<std::size_t>(o)][static_cast<std::size_t>(e)]);
            });
        });
        block.each_warp([&](warp const& w_) {
            for (int o = w_.index(); o < outputs; o += warps)
                unrolled<channels / warp_size>([&](int piece) {
                    typename warp::number sum(0.0f);
                    for (int k = 0; k < warps; ++k) sum += sums.get(w_, warp::each_lane([&](int lane) { return (k * Most + o) * room + where(piece * warp_size + lane); }));
                    store<warp>(parts + (part * outputs + o) * c + first + piece * warp_size, sum, c - first - piece * warp_size);
                });
        });
    }

private:
    /// Channels of an output in shared memory, and where those of a sum are: where lanes put theirs, they meet in no bank.
    static constexpr int room = channels + 4;
    static constexpr int where(int channel) { return channel / 8 + 8 * (channel % 8); }
    /// The rows of a warp, from the block's first channel on; numbers of 32 bits reach them all.
    struct rows_of_warp {
        X const* x;
        float const* dy;
        D* dx;
        int count, channels;
    };
    template <class Warp>
    using factors = std::array<std::array<fragment_b<Warp, products>, steps>, channels / 8>;   ///< of w: fragment j has channels place(n, j)
    template <class Warp>
    using by_w = std::array<std::array<fragment_c<Warp>, Most / 8>, 4>;   ///< channels 8 g + 2 m and 8 g + 2 m + 1 by outputs
    /// Which channel is column n of fragment j: a lane has eight adjacent ones of four fragments.
    static constexpr int place(int n, int j) { return 32 * (j / 4) + 8 * (n / 2) + 2 * (j % 4) + n % 2; }

    template <class Warp, class Shared>
    constexpr factors<Warp> load_factors(Warp const& w_, Shared const& of_w) const {
        factors<Warp> f;
        auto const at = [&](int j, int o) { return of_w.get(w_, Warp::each_lane([&](int lane) { return (o + 2 * (lane % 4)) * room + place(lane / 4, j); })); };   // output o + 2 q
        unrolled<channels / 8>([&](int j) {
            unrolled<steps>([&](int s) {
                unrolled<2>([&](int half) {
                    int const o = 16 * s + 8 * half;
                    f[static_cast<std::size_t>(j)][static_cast<std::size_t>(s)][static_cast<std::size_t>(half)] = pair_of(w_, products{}, at(j, o), at(j, o + 1));
                });
            });
        });
        return f;
    }
    template <class Warp>
    struct rows_of_both {
        eight<Warp, X> x[4];                           ///< channels 8 g, ... of rows 2 q, 2 q + 1, 2 q + 8, 2 q + 9
        typename Warp::number d[rows * Most / warp_size];   ///< row by row, an output a lane
    };
    /// Rows t, ...; of those that are not there x is the last one's, and d 0.
    template <class Warp>
    constexpr rows_of_both<Warp> read(rows_of_warp const& of, int t) const {
        rows_of_both<Warp> r;
        int const width = static_cast<int>(c), numbers = static_cast<int>(outputs);
        unrolled<4>([&](int k) {
            r.x[k] = load_eight<Warp, X>([&](int lane) {
                int const row = t + 2 * (lane % 4) + k % 2 + 8 * (k / 2), channel = 8 * (lane / 4);
                return channel < of.channels ? of.x + (row < of.count ? row : of.count - 1) * width + channel : nullptr;
            });
        });
        unrolled<rows * Most / warp_size>([&](int k) {
            r.d[k] = Warp::each_lane([&](int lane) {
                int const row = t + row_of_upstream(lane, k), o = lane % Most;
                return row < of.count && o < numbers ? of.dy[row * numbers + o] : 0.0f;
            });
        });
        return r;
    }
    static constexpr int row_of_upstream(int lane, int k) { return (k * warp_size + lane) / Most; }

    template <class Warp, class Shared>
    constexpr void use(Warp const& w_, Shared const& upstream, rows_of_both<Warp> const& of, rows_of_warp const& to, int t, factors<Warp> const& factor, by_w<Warp>& total) const {
        using pair = typename products::template pair<Warp>;
        int const mine = w_.index() * rows;
        w_.sync();   // who read what lay there has it
        unrolled<rows * Most / warp_size>([&](int k) {
            upstream.put(w_, Warp::each_lane([&](int lane) { return (mine + row_of_upstream(lane, k)) * stride + lane % Most; }), each(of.d[k], [](float e) { return products::round(e); }));
        });
        w_.sync();
        fragment_a<Warp, products> by_row[steps];
        unrolled<steps>([&](int s) {
            by_row[s] = load_a(w_, products{}, upstream, stride, mine, 16 * s);
            auto const by_output = load_b_rows(w_, products{}, upstream, stride, mine, 16 * s);
            unrolled<4>([&](int m) {   // dw: channels by outputs, the sum over rows
                auto const two = [&](int r, int i) -> pair { return stored_pair(w_, number_of<Warp>(of.x[r], i), number_of<Warp>(of.x[r + 1], i)); };
                fragment_a<Warp, products> const left{two(0, 2 * m), two(0, 2 * m + 1), two(2, 2 * m), two(2, 2 * m + 1)};
                unrolled<2>([&](int o) { multiply_add(w_, products{}, total[static_cast<std::size_t>(m)][static_cast<std::size_t>(2 * s + o)], left, by_output[static_cast<std::size_t>(o)]); });
            });
        });
        if (!to.dx) return;
        unrolled<2>([&](int half) {   // dx, 32 channels: rows by channels, the sum over outputs
            fragment_c<Warp> made[4];
            unrolled<4>([&](int j) {
                clear<Warp>(made[j]);
                unrolled<steps>([&](int s) { multiply_add(w_, products{}, made[j], by_row[s], factor[static_cast<std::size_t>(4 * half + j)][static_cast<std::size_t>(s)]); });
            });
            unrolled<2>([&](int lower) {
                Warp::visit([&](int lane, int l) {
                    int const row = t + lane / 4 + 8 * lower, channel = 32 * half + 8 * (lane % 4);
                    if (row >= to.count || channel >= to.channels) return;
                    detail::adjacent<float, 8> a;
                    unrolled<8>([&](int i) { a.v[i] = made[i / 2][static_cast<std::size_t>(2 * lower + i % 2)].v[l]; });
                    give(to.dx + row * static_cast<int>(c) + channel, a);
                });
            });
        });
    }
    /// Eight numbers at p become a, or more by a.
    constexpr void give(D* p, detail::adjacent<float, 8> const& a) const {
        constexpr int N = 16 / sizeof(D);
        unrolled<8 / N>([&](int i) {
            detail::adjacent<float, N> piece;
            for (int k = 0; k < N; ++k) piece.v[k] = a.v[N * i + k];
            if (add) {
                auto const there = *reinterpret_cast<detail::adjacent<D, N> const*>(p + N * i);
                for (int k = 0; k < N; ++k) piece.v[k] += static_cast<float>(there.v[k]);
            }
            detail::write(p + N * i, piece);
        });
    }
};

struct for_dot_gradients;

/// Whether it was few enough columns, of rows that are read eight channels at once: then dx is made, or added to, unless it is null, and dw added to. Of float rows registers have no room
/// for more than 16.
template <class Device, class X, class D>
bool add_few(Device device, X const* x, float const* w, float const* dy, D* dx, bool add, float* dw, index_t n, index_t c, index_t outputs) {
    return takes_wide<8>(c, {x, w, dx}) && with_few(outputs, [&]<int Most>(std::integral_constant<int, Most>) {
        if constexpr (Most > 16 && sizeof(X) > 2) {
            return false;
        } else {
            input_dot_gradients<X, D, Most> kernel{x, w, dy, dx, add, nullptr, n, c, outputs};
            kernel.parts = scratch<for_dot_gradients, float>(device, kernel.count() * outputs * c);
            launch(device, kernel, kernel.blocks());
            launch_add_parts(device, kernel.parts, {kernel.count(), outputs * c}, outputs * c, dw);
            return true;
        }
    });
}
#ifdef __CUDACC__
extern template bool add_few(cuda, float const*, float const*, float const*, float*, bool, float*, index_t, index_t, index_t);
extern template bool add_few(cuda, bfloat16 const*, float const*, float const*, float*, bool, float*, index_t, index_t, index_t);
extern template bool add_few(cuda, bfloat16 const*, float const*, float const*, bfloat16*, bool, float*, index_t, index_t, index_t);
#endif

}  // namespace attnlab::gpu
