#pragma once
#include <cstdint>

#include <attnlab/kernels/cuda/bits.hpp>
#include <attnlab/kernels/cuda/seen_pairs.hpp>

/// \file
/// How a block walks tiles: rows that come to shared memory while those of the tile before are used.

namespace attnlab::gpu {

/// Stands at one of `count` tiles after the other of which something is seen, in ascending order. 32 are asked at once, a lane a tile, by every warp: `ask(j)` says it of tile j, and
/// meets no other lane. A step is most often to the tile beside it, and then some shifts: a walk of long rows has few instructions beside its products.
template <class Warp, class Ask>
class seen_tiles {
public:
    constexpr seen_tiles(int count, Ask ask) : ask_(ask), count_(count) { search(); }
    constexpr bool ended() const { return at_ >= count_; }
    /// Where it stands, and what is seen of it.
    constexpr int at() const { return at_; }
    constexpr tile_seen seen() const { return all_ & 1 ? tile_seen::all : tile_seen::some; }
    constexpr void step() {
        ++at_, some_ >>= 1, all_ >>= 1;
        if (!(some_ & 1)) search();
    }

private:
    constexpr void search() {
        while (some_ == 0) {
            at_ = asked_;
            if (ended()) return;
            auto const said = Warp::each_lane([&](int lane) { return at_ + lane < count_ ? ask_(at_ + lane) : tile_seen::none; });
            some_ = Warp::ballot(each(said, [](tile_seen s) { return s != tile_seen::none; }));
            all_ = Warp::ballot(each(said, [](tile_seen s) { return s == tile_seen::all; }));
            asked_ += warp_size;
        }
        int const to = first_bit(some_);
        at_ += to, some_ >>= to, all_ >>= to;
    }

    Ask ask_;
    int count_, at_ = 0, asked_ = 0;         ///< how many were asked
    std::uint32_t some_ = 0, all_ = 0;       ///< of the tiles from `at_` to those
};

/// Walks those tiles j of `columns` out of `length` of which `seen_of(j)` (see seen_tiles) is not none, in phases: `fetch(warp, j, stage)` starts copies to shared memory, one tile
/// ahead where there are two stages; `arrived(warp)`, when they are there, and `visit(j, stage, seen)` after a barrier, with which it ends too.
template <int Stages, class Block, class SeenOf, class Fetch, class Arrived, class Visit>
constexpr void walk_tiles(Block& block, index_t length, int columns, SeenOf seen_of, Fetch fetch, Arrived arrived, Visit visit) {
    using Warp = typename Block::warp;
    int const count = static_cast<int>((length + columns - 1) / columns);
    seen_tiles<Warp, SeenOf> tiles(count, seen_of);
    if (tiles.ended()) return;
    if (Stages == 2)
        block.each_warp([&](Warp const& w) {
            fetch(w, tiles.at(), 0);
            block.commit(w);
        });
    for (int stage = 0; !tiles.ended(); stage = Stages == 2 ? 1 - stage : 0) {
        int const j = tiles.at();
        tile_seen const seen = tiles.seen();
        tiles.step();
        block.each_warp([&](Warp const& w) {
            if constexpr (Stages == 2) {
                if (!tiles.ended()) fetch(w, tiles.at(), 1 - stage);
                block.commit(w);
                block.wait(w, 1);
            } else {
                fetch(w, j, 0);
                block.commit(w);
                block.wait(w, 0);
            }
            arrived(w);
        });
        visit(j, stage, seen);
    }
}

/// Rows of a head in memory, as a warp copies them to shared memory tile by tile.
template <int Warps, class Rows, class Warp>
class tile_stream {
public:
    tile_stream() = default;
    template <class Source>
    constexpr tile_stream(Warp const& w, Rows const& rows, Source const& from, index_t b, index_t h, index_t T)
        : begin_(rows.source_at(w, from.row(b, h, 0), from.position)), T_(static_cast<int>(T)) {}
    /// Shared rows first .. first + count become rows t, t + 1, ... of memory.
    constexpr void fetch(Warp const& w, Rows const& rows, int first, int t, int count) const { rows.template copy<Warps>(w, first, begin_.from(t), count, T_ - t); }

private:
    typename Rows::template source<Warp> begin_;
    int T_;
};

/// Rows that a block owns, to be multiplied by the scale of scores once they are there: with the first tile, on whose way they are waited for.
template <int Warps, class Rows>
class scaled_rows {
public:
    constexpr scaled_rows(Rows const& rows, int count, float by) : rows_(rows), count_(count), by_(by) {}
    /// For `walk_tiles`, before the barrier and after it.
    template <class Block, class Warp>
    constexpr void arrived(Block& block, Warp const& w) const {
        if (by_ == 1) return;
        rows_.template multiply<Warps>(w, 0, count_, by_);
        block.publish(w);
    }
    constexpr void done() { by_ = 1; }

private:
    Rows rows_;   // a copy: nvcc would keep in memory what points to itself
    int count_;
    float by_;
};

/// Copies `count` records of 16 bytes, a multiple of a warp's lanes, a lane a record.
template <int Warps, class Warp, class Shared>
constexpr void copy_records(Warp const& w, Shared const& to, int at, typename Shared::value_type const* from, int count) {
    static_assert(sizeof(typename Shared::value_type) == 16);
    for (int round = 0; round < count; round += Warps * warp_size) {
        int const first = round + w.index() * warp_size;
        if (first < count)
            to.copy_async(w, Warp::each_lane([&](int lane) { return at + first + lane; }), Warp::each_lane([&](int lane) { return from + first + lane; }));
    }
}

}  // namespace attnlab::gpu
