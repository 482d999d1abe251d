#pragma once
#include <array>
#include <cstdint>

#include <attnlab/kernels/cuda/row_lanes.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>

/// \file
/// A score joint on a tile: raw products go from the fragments to shared memory, warps walk rows of keys with the program that the cpu runs
/// (attention/row_program.hpp), and scores come back.

namespace attnlab::gpu {

/// Room for `Queries` x `Keys` numbers; a row begins one bank after the one before.
template <int Queries, int Keys>
struct shared_scores {
    static constexpr int stride = Keys + 1;
    static constexpr index_t bytes = (static_cast<index_t>(sizeof(float)) * Queries * stride + 15) / 16 * 16;
};

/// Where a tile lies: queries i0 .., keys j0 .. of head h of sequence b.
struct tile_place {
    index_t b, h, i0, j0;
};

/// The arrays of a block whose policy has a score joint; nothing without one. `Arrays`: raw and made scores on the way forward, gradients of
/// the raw ones too on the way back.
template <class Block, int Queries, int Keys, int Arrays>
class score_tile {
    using Warp = typename Block::warp;
    using shared = typename Block::template shared_array<float>;
    static constexpr int stride = shared_scores<Queries, Keys>::stride;

public:
    static constexpr index_t bytes = Arrays * shared_scores<Queries, Keys>::bytes;
    shared raw, made, d_raw;

    explicit constexpr score_tile(Block& block) {
        if constexpr (Arrays > 0) raw = block.template shared<float>(Queries * stride), made = block.template shared<float>(Queries * stride);
        if constexpr (Arrays > 2) d_raw = block.template shared<float>(Queries * stride);
    }

    /// A warp's fragments, whose 16 rows begin at `own`, into an array, or back. `Turned`: rows are keys, columns queries.
    template <bool Turned, std::size_t N>
    static constexpr void put(Warp const& w, shared const& to, std::array<fragment_c<Warp>, N>& scores, int own) {
        each_score(scores, [&](int n, int i, auto& e) { to.put(w, places<Turned>(own, n, i), e); });
    }
    template <bool Turned, std::size_t N>
    static constexpr void get(Warp const& w, shared const& from, std::array<fragment_c<Warp>, N>& scores, int own) {
        each_score(scores, [&](int n, int i, auto& e) { e = from.get(w, places<Turned>(own, n, i)); });
    }

    /// `raw` becomes `made`, where seen; else 0. The warps of a block share the rows.
    template <class Policy, class Problem>
    constexpr void forward(Warp const& w, int warps, Problem const& p, float const* tokens, tile_place at) const {
        each_row<Policy>(w, warps, p, tokens, at, [&](row_point<float>& row, int r, index_t first) {
            zero(w, made, r);
            if (row.keys == 0) return;
            row.source = raw.reads(w, r * stride + first, row.keys);
            float* const to = made.writes(w, r * stride + first, row.keys);
            program<Policy>().forward(row, to);
        });
    }
    /// Gradients by the scores, in `made`, become gradients by the raw products, in `d_raw`. `gradients(row)` returns where those of
    /// parameters go, and says so of tokens.
    template <class Policy, class Problem, class Gradients>
    constexpr void backward(Warp const& w, int warps, Problem const& p, float const* tokens, tile_place at, Gradients gradients) const {
        each_row<Policy>(w, warps, p, tokens, at, [&](row_point<float>& row, int r, index_t first) {
            zero(w, d_raw, r);
            if (row.keys == 0) return;
            row.source = raw.reads(w, r * stride + first, row.keys);
            row.d_source = d_raw.writes(w, r * stride + first, row.keys);
            auto const parameters = gradients(row);
            row.gradients = parameters.data();
            program<Policy>().backward(row, made.reads(w, r * stride + first, row.keys));
        });
        w.sync();
    }

private:
    template <class Policy>
    static constexpr auto program() {
        constexpr auto formula = Policy::score;
        return row_program<row_lanes<Warp>, Policy, std::remove_const_t<decltype(formula)>>(formula);
    }
    template <bool Turned>
    static constexpr typename Warp::whole places(int own, int n, int i) {
        return Warp::each_lane([&](int lane) {
            int const row = own + row_of(lane, i), column = 8 * n + column_of(lane, i);
            return Turned ? column * stride + row : row * stride + column;
        });
    }
    static constexpr void zero(Warp const& w, shared const& x, int r) {
        for (int c = 0; c < Keys; c += warp_size)
            x.put(w, Warp::each_lane([&](int lane) { return r * stride + c + lane; }), typename Warp::number(0.0f), Warp::each_lane([&](int lane) { return c + lane < Keys; }));
        w.sync();
    }
    /// `body(row, r, first)` for this warp's rows: keys from the first that query r sees in the tile to the last.
    template <class Policy, class Problem, class Body>
    static constexpr void each_row(Warp const& w, int warps, Problem const& p, float const* tokens, tile_place at, Body body) {
        auto const values = attnlab::detail::of_head<Policy>(p.parameters, p.sizes(), at.h);
        for (int r = w.index(); r < Queries; r += warps) {
            index_t const i = at.i0 + r;
            auto row = p.template row<Policy>(at.b, at.h, i < p.T ? i : 0, values.data());
            std::uint64_t const seen = i < p.T ? p.template visible<Policy>(at.b, i).bits(at.j0, Keys) : 0;
            index_t const first = seen ? first_bit(seen) : 0;
            row.first_key = at.j0 + first;
            row.keys = seen ? last_bit(seen) + 1 - first : 0;
            if constexpr (Policy::has_tokens) row.tokens = tokens + (at.b * p.H + at.h) * p.T;
            body(row, r, first);
        }
    }
};

/// Scores of a tile, after the score joint: `products(warp, scores)` makes the raw ones, `use(warp, scores)` gets what became of them, and a barrier
/// follows; without a joint it settles the products itself. `Turned`: rows are keys, columns queries.
template <class Policy, class Rows, bool Turned, int Columns, class Block, class Tile, class Problem, class Products, class Use>
constexpr void each_warps_scores(Block& block, [[maybe_unused]] Tile const& joint, Problem const& p, [[maybe_unused]] float const* tokens, [[maybe_unused]] tile_place at,
                                 Products products, Use use) {
    using Warp = typename Block::warp;
    using fragments = score_fragments<Warp, Columns>;
    if constexpr (Policy::has_score) {
        block.each_warp([&](Warp const& w) {
            fragments scores;
            products(w, scores);
            settle<Rows>(w, scores);
            joint.template put<Turned>(w, joint.raw, scores, 16 * w.index());
        });
        block.each_warp([&](Warp const& w) { joint.template forward<Policy>(w, block.warps(), p, tokens, at); });
        block.each_warp([&](Warp const& w) {
            fragments scores;
            joint.template get<Turned>(w, joint.made, scores, 16 * w.index());
            use(w, scores);
        });
    } else {
        block.each_warp([&](Warp const& w) {
            fragments scores;
            products(w, scores);
            use(w, scores);
        });
    }
}

}  // namespace attnlab::gpu
