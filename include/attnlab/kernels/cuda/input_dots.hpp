#pragma once
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// A matrix product of few columns, y = x w^T: it takes as long as reading x, once, where a library's float32 product of twelve columns takes several times that. x is of floats, or
/// rounded; products and sums are of floats.

namespace attnlab::gpu {

/// Sums over a warp's lanes of K numbers in each, K a power of two up to 32: lane l's result is that of number l % K. Of two lanes each adds half of what both have, so that
/// it takes about K exchanges, where one number after the other would take five each.
template <class Warp, int K>
constexpr typename Warp::number fold(typename Warp::number* x) {
    if constexpr (K == 1) {
        return x[0];
    } else {
        constexpr int half = K / 2;
        unrolled<half>([&](int k) {
            typename Warp::number mine, other;
            Warp::visit([&](int lane, int l) {
                bool const upper = lane & half;
                float const low = x[k].v[l], high = x[k + half].v[l];   // by no address: they are in registers
                mine.v[l] = upper ? high : low, other.v[l] = upper ? low : high;
            });
            x[k] = mine + Warp::template butterfly<K, half>(other, [](float, float across) { return across; });
        });
        return fold<Warp, half>(x);
    }
}
template <class Warp, int K>
constexpr typename Warp::number folded_sums(typename Warp::number* x) {
    return Warp::template butterfly<warp_size, K>(fold<Warp, K>(x), [](float a, float b) { return a + b; });
}

/// x (n, c), w (outputs, c), y (n, outputs), of at most `Most` outputs. w lies in shared memory, of which a warp uses what it reads for `rows` of x, 128 channels at once.
template <class X, int Most>
struct input_dots {
    static constexpr int N = 4, warps = 8, rows = Most > 16 ? 2 : 4;   ///< as many sums as registers have room for
    static constexpr int resident = 2;                          ///< blocks of a multiprocessor: more have no registers for what comes next
    X const* x;
    float const* w;
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
        number sums[rows * Most];   // of row r and output o, r Most + o
        for (number& sum : sums) sum = number(0.0f);
        int const width = static_cast<int>(c), last = static_cast<int>(n - 1 - first), most = static_cast<int>(outputs) - 1;
        X const* const begin = x + first * c;
        struct piece {
            lanes_of<X, N * Warp::held> of_row[rows];
        };
        auto const read = [&](int i) {
            piece p;
            unrolled<rows>([&](int r) { p.of_row[r] = load_stored<Warp, N>(begin + (r < last ? r : last) * width + i, width - i); });
            return p;
        };
        piece next = read(0);
        for (int i = 0; i < width; i += N * warp_size) {
            wide<Warp, N> now[rows];
            unrolled<rows>([&](int r) { now[r] = as_numbers(next.of_row[r]); });
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
                        for (int k = 0; k < N; ++k) sums[r * Most + o].v[l] += now[r].v[N * l + k] * factor.v[N * l + k];
                });
            });
        }
        constexpr int all = rows * Most, halves = all % warp_size != 0;   // 48 numbers, or 64
        static_assert(all % warp_size == 0 || all % warp_size == warp_size / 2);
        auto const write = [&](number const& total, int begin, int count) {
            Warp::visit([&](int lane, int l) {
                int const at = begin + lane, r = at / Most, o = at % Most;
                if (lane < count && r <= last && o <= most) y[(first + r) * outputs + o] = total.v[l];
            });
        };
        unrolled<all / warp_size>([&](int k) { write(folded_sums<Warp, warp_size>(sums + k * warp_size), k * warp_size, warp_size); });
        if constexpr (halves) write(folded_sums<Warp, warp_size / 2>(sums + all - warp_size / 2), all - warp_size / 2, warp_size / 2);
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
template <class Device, class X>
bool multiply_few(Device device, X const* x, float const* w, float* y, index_t n, index_t c, index_t outputs) {
    return takes_wide<4>(c, {x, w}) && with_few(outputs, [&]<int Most>(std::integral_constant<int, Most>) {
        input_dots<X, Most> const kernel{x, w, y, n, c, outputs};
        if (kernel.shared_bytes() > most_shared_bytes) return false;
        launch(device, kernel, kernel.blocks);
        return true;
    });
}
#ifdef __CUDACC__   // no policy's: compiled once (instances.hpp)
extern template bool multiply_few(cuda, float const*, float const*, float*, index_t, index_t, index_t);
extern template bool multiply_few(cuda, bfloat16 const*, float const*, float*, index_t, index_t, index_t);
#endif

}  // namespace attnlab::gpu
