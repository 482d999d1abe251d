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

    /// Rows in memory to be copied, by all `Warps` of a block together, 16 bytes a lane: where a lane's first piece is, and how many bytes further the next row.
    template <class Warp>
    struct source {
        typename Warp::template lanes<element const*> piece;
        int next;
        /// From row t on.
        constexpr source from(int t) const {
            return {each(piece, [&](element const* p) { return further(p, t, next); }), next};
        }
    };
    /// Those that begin at `from`, `next` elements from one to the next.
    template <class Warp>
    constexpr source<Warp> source_at(Warp const& w, element const* from, index_t next) const {
        return {Warp::each_lane([&](int lane) { return kept(from + row_of(w, lane) * next + ((w.index() * warp_size + lane) & (pieces() - 1)) * in_one); }), static_cast<int>(next * static_cast<index_t>(sizeof(element)))};
    }
    /// Copies `count` of them, a multiple of what is copied at once, to row `first`, a multiple of 8, and on. Of rows that are not `there` the last one comes in their
    /// place: nobody looks at what is made of them.
    template <int Warps, class Warp>
    constexpr void copy(Warp const& w, int first, source<Warp> const& rows, int count, int there) const {
        auto const put = [&](auto row) {
            each_piece<Warps>(w, first, count, [&](int r, typename Warp::whole const& at) {
                data_.copy_async(w, at, each(rows.piece, Warp::each_lane([&](int lane) { return row(lane, r); }), [&](element const* p, int n) { return further(p, n, rows.next); }));
            });
        };
        if (there >= count) put([](int, int r) { return r; });
        else put([&](int lane, int r) { return r + row_of(w, lane) < there ? r : there - 1 - row_of(w, lane); });
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
    /// p, n times `bytes` further: in one instruction, where neither is of 64 bits.
    static constexpr element const* further(element const* p, int n, int bytes) {
        return reinterpret_cast<element const*>(reinterpret_cast<char const*>(p) + index_t{n} * bytes);
    }
    /// The row of a lane's first piece.
    template <class Warp>
    constexpr int row_of(Warp const& w, int lane) const {
        return (w.index() * warp_size + lane) >> bits();
    }
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
