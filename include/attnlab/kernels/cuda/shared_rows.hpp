#pragma once
#include <cstdint>

#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/bits.hpp>
#include <attnlab/kernels/cuda/lanes.hpp>

namespace attnlab::gpu {

/// Rows of D channels (0: as many as the constructor says) in shared memory, as tensor cores read them. Where each warp has its own instructions, which take eight rows at once,
/// rows lie 16 bytes apart modulo 128, in eight groups of banks. Where four warps multiply together they lie in slabs of 64 channels, 128 bytes a row, of which
/// piece p of 16 bytes is at p ^ row % 8 (PTX ISA, "Asynchronous warpgroup level matrix shared memory layout", 128-byte swizzling).
template <class Block, class Products, int D>
class shared_rows {
public:
    using element = typename Products::element;
    static constexpr bool in_slabs = Block::template has_warpgroups<Products>;
    static constexpr int slab = 64, in_one = 16 / static_cast<int>(sizeof(element));   ///< channels of a slab; elements of a piece

    shared_rows() = default;
    constexpr shared_rows(Block& block, int rows, int channels = D)
        : data_(block.template shared<element>(in_slabs ? rows * channels : rows * (channels + in_one))), rows_(rows), channels_(channels) {}

    /// Bytes that either layout has room in.
    static constexpr index_t bytes(int rows, int channels = D) { return static_cast<index_t>(sizeof(element)) * rows * (channels + in_one); }

    constexpr auto const& data() const { return data_; }
    constexpr int rows() const { return rows_; }
    constexpr int channels() const { return D > 0 ? D : channels_; }
    /// Of rows that are not in slabs.
    constexpr int stride() const { return channels() + in_one; }
    /// Elements from one slab to the next.
    constexpr int slab_size() const { return rows_ * slab; }
    /// The element at which piece `piece` of a row begins.
    constexpr int place(int row, int piece) const {
        if constexpr (in_slabs) return piece / 8 * slab_size() + row * slab + ((piece ^ row) % 8) * in_one;
        else return row * stride() + piece * in_one;
    }

    /// Copies `count` rows, `from` the first and `next` elements from one to the next, to row `first` and on, 16 bytes a lane; all `Warps` of the block together, which copy
    /// a divisor of `count` at once. Of rows that are not `there` the last one comes in their place: nobody looks at what is made of them.
    template <int Warps, class Warp>
    constexpr void copy(Warp const& w, int first, element const* from, index_t next, int count, index_t there) const {   // `first` a multiple of 8
        auto const rows = [&](auto row_of) {
            each_piece<Warps>(w, first, count, [&](int r, typename Warp::whole const& at) {
                auto const offset = Warp::each_lane([&](int lane) {
                    int const i = w.index() * warp_size + lane;
                    return row_of(r, i >> bits()) + static_cast<index_t>((i & (pieces() - 1)) * in_one);
                });
                data_.copy_async(w, at, from, offset, typename Warp::flag(true));
            });
        };
        // A lane's first row, and what is the same for all lanes.
        if (there >= count) rows([&](int r, int of_lane) { return of_lane * next + r * next; });
        else rows([&](int r, int of_lane) { return (r + of_lane < there ? r + of_lane : there - 1) * next; });
    }
    /// Multiplies rows that `copy` brought, and that its lanes have waited for: each what it brought itself.
    template <int Warps, class Warp>
    constexpr void multiply(Warp const& w, int first, int count, float by) const {
        each_piece<Warps>(w, first, count, [&](int, typename Warp::whole const& at) {
            Warp::visit([&](int, int i) {
                struct alignas(16) piece {
                    element v[in_one];
                };
                auto* const p = reinterpret_cast<piece*>(data_.writes(w, at.v[i], in_one));
                piece x = *p;
                for (element& e : x.v) e = static_cast<element>(static_cast<float>(e) * by);
                *p = x;
            });
        });
    }

private:
    /// Pieces of a row, a power of two.
    constexpr int pieces() const { return channels() / in_one; }
    constexpr int bits() const { return first_bit(static_cast<std::uint64_t>(pieces())); }
    /// `body(r, at)` for `count` rows from `first` on: where the lanes' pieces are of those that all warps have at once, which begin r rows further.
    template <int Warps, class Warp, class Body>
    constexpr void each_piece(Warp const& w, int first, int count, Body body) const {
        int const at_once = Warps * warp_size >> bits();
        // A lane's piece of the first of them; the others are constants further.
        auto const to = [&](int row) {
            return Warp::each_lane([&](int lane) {
                int const i = w.index() * warp_size + lane;
                return place(row + (i >> bits()), i & (pieces() - 1));
            });
        };
        int const step = in_slabs ? slab : stride();
        for (int r = 0; r < count; r += at_once) {
            auto const at = at_once % 8 == 0 ? to(0) + typename Warp::whole(r * step) : to(r);
            body(r, at + typename Warp::whole(first * step));
        }
    }

    typename Block::template shared_array<element> data_;
    int rows_ = 0, channels_ = 0;
};

}  // namespace attnlab::gpu
