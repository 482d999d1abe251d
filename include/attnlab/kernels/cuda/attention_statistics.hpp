#pragma once
#include <array>
#include <limits>

#include <attnlab/kernels/attention_statistics.hpp>
#include <attnlab/kernels/cuda/block_order.hpp>
#include <attnlab/kernels/cuda/score_joint.hpp>
#include <attnlab/kernels/cuda/tile_walk.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/weigh.hpp>

/// \file
/// Statistics of the weights, once forward is done and every row's numbers are known: tiles of scores are made again, by blocks that own
/// queries (entropy, largest score, columns asked for) or keys (column sums). O(T) numbers a head, no T x T array. Nothing is summed over
/// channels but the scores, so that one kernel serves all head sizes.

namespace attnlab::gpu {

template <class Policy, class Products, bool ByKeys>
struct statistics_tiles {
    using element = typename Products::element;
    static constexpr int warps = 4, own = 16 * warps, columns = sizeof(element) > 2 ? 32 : 64, stages = 2;

    tile_problem<Policy> p;
    tile_source<Products> q, k;
    int size;                               ///< of a head, padded
    float own_scale;                        ///< by which the queries or keys that a block owns are multiplied
    float const *reference, *sum, *share;   ///< (B, H, T); w is f(s), or w(s, z), times share
    float const* tokens;
    float *column_sums, *entropy, *largest;  ///< (B, H, T)
    index_t const* keys;                     ///< asked for
    index_t key_count;
    float* key_columns;                      ///< (B, H, keys, T)
    divisor heads_of_kv{p.heads_of_kv()};
    block_order order{p.B, p.H, tiles(), bytes_of_rows<Products>(p.T, size)};

    constexpr index_t shared_bytes() const {
        return shared_rows<emulated_block, Products, 0>::bytes(own + stages * columns, size);
    }
    constexpr index_t tiles() const { return (p.T + own - 1) / own; }
    constexpr index_t blocks() const { return p.B * p.H * tiles(); }

    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using Warp = typename Block::warp;
        using number = typename Warp::number;
        block_place const place = order(id);
        index_t const b = place.b, h = place.h, kv = heads_of_kv.quotient(static_cast<std::uint32_t>(h)), own0 = place.turn * own;
        using tile_rows = shared_rows<Block, Products, 0>;
        tile_rows const mine(block, own, size), others(block, stages * columns, size);
        scaled_rows<warps, tile_rows> scaled(mine, own, own_scale);
        using stream = tile_stream<warps, tile_rows, Warp>;
        struct state {
            stream others;
            std::array<number, 2> entropy, largest;
            std::array<typename Warp::template lanes<double>, 2> sum;
            score_joint<score_setting<Policy, Warp, Products, columns, ByKeys>> joint;
        };
        typename Block::template per_warp<state> states(block);
        auto const query_of = [&](Warp const& w, index_t other0, int lane, int n, int i) {
            return ByKeys ? other0 + 8 * n + column_of(lane, i) : own0 + 16 * w.index() + row_of(lane, i);
        };
        auto const key_of = [&](Warp const& w, index_t other0, int lane, int n, int i) {
            return ByKeys ? own0 + 16 * w.index() + row_of(lane, i) : other0 + 8 * n + column_of(lane, i);
        };

        block.each_warp([&](Warp const& w) {
            stream const of_queries(w, mine, q, b, h, p.T), of_keys(w, mine, k, b, kv, p.T);
            (ByKeys ? of_keys : of_queries).fetch(w, mine, 0, static_cast<int>(own0), own);
            block.commit(w);
            state& s = states[w];
            s.others = ByKeys ? of_queries : of_keys;
            s.entropy = {number(0.0f), number(0.0f)};
            s.largest = {number(-std::numeric_limits<float>::infinity()), number(-std::numeric_limits<float>::infinity())};
            s.sum[0] = s.sum[1] = typename Warp::template lanes<double>(0.0);
            s.joint.begin(p, tokens, b, h, own0 + 16 * w.index());
            if constexpr (!ByKeys) clear_columns(w, b, h, own0);
        });
        walk_tiles<stages>(
            block, p.T, columns,
            [&](int j) { return ByKeys ? what_rows_see<Policy>(p, b, j * columns, columns, own0, own) : what_rows_see<Policy>(p, b, own0, own, j * columns, columns); },
            [&](Warp const& w, int j, int stage) {
                states[w].others.fetch(w, others, stage * columns, j * columns, columns);
            },
            [&](Warp const& w) { scaled.arrived(block, w); },
            [&](int j, int stage, tile_seen seen) {
                scaled.done();
                index_t const other0 = j * columns;
                block.each_warp([&](Warp const& w) {
                    score_fragments<Warp, columns> scores;
                    multiply_rows<Products, 0, columns>(w, static_cast<int>(p.D), mine, 16 * w.index(), others, stage * columns, scores);
                    settle<tile_rows>(w, scores);
                    auto x = states[w].joint.enter(other0);
                    states[w].joint.apply(x, scores);
                    auto const in_tile = pairs_of<Policy, Warp, columns, ByKeys, false>(w, p, seen, b, own0 + 16 * w.index(), other0);
                    each_score(scores, [&](int n, int i, number& e) {
                        auto const in = in_tile(n, i);
                        number const weight = select(in, weight_of(w, b, h, e, [&](int lane) { return query_of(w, other0, lane, n, i); }), number(0.0f));
                        state& s = states[w];
                        auto const half = static_cast<std::size_t>(i / 2);
                        if constexpr (ByKeys) {
                            s.sum[half] += each(weight, [](float x) { return static_cast<double>(x); });
                        } else {
                            s.largest[half] = max(select(in, e, s.largest[half]), s.largest[half]);
                            s.entropy[half] += each(weight, [](float x) { return x > 0 ? -x * elementary<Warp::held>::log(x) : 0.0f; });
                            Warp::visit([&](int lane, int l) { keep(b, h, query_of(w, other0, lane, n, i), key_of(w, other0, lane, n, i), weight.v[l]); });
                        }
                    });
                });
            });
        block.each_warp([&](Warp const& w) {
            state& s = states[w];
            unrolled<2>([&](int half) {
                auto const r = static_cast<std::size_t>(half);
                auto const add = [](auto x, auto y) { return x + y; };
                auto const total = over_row<Warp>(s.sum[r], add);
                number const all_entropy = over_row<Warp>(s.entropy[r], add), top = over_row<Warp>(s.largest[r], [](float x, float y) { return x > y ? x : y; });
                Warp::visit([&](int lane, int l) {
                    index_t const t = own0 + 16 * w.index() + row_of(lane, 2 * half), to = (b * p.H + h) * p.T + t;
                    if (lane % 4 != 0 || t >= p.T) return;
                    if constexpr (ByKeys) column_sums[to] = static_cast<float>(total.v[l]);
                    else entropy[to] = all_entropy.v[l], largest[to] = top.v[l];
                });
            });
        });
    }

private:
    template <class Warp, class Query>
    constexpr typename Warp::number weight_of(Warp const&, index_t b, index_t h, typename Warp::number const& score, Query query) const {
        using number = typename Warp::number;
        auto const at = [&](float const* x) { return at_queries<Warp>(p, x, b, h, query, 0); };
        row_numbers<number> r{at(reference), at(sum), number(1.0f), number(1.0f), number(1.0f), at(share), number(0.0f)};
        r.lift = weighting_facts<Policy>::lift(r.m);
        read_lengths<Policy, Warp>(r, p, b, query, length_of_all<Policy>(p));
        return weigher<Policy, number>::weight(score, r);
    }
    template <class Warp>
    constexpr void clear_columns(Warp const& w, index_t b, index_t h, index_t i0) const {
        for (index_t a = 0; a < key_count; ++a)
            Warp::visit([&](int lane, int) {
                index_t const i = i0 + 16 * w.index() + lane;
                if (lane < 16 && i < p.T) key_columns[((b * p.H + h) * key_count + a) * p.T + i] = 0;
            });
        w.sync();
    }
    constexpr void keep(index_t b, index_t h, index_t i, index_t key, float weight) const {
        for (index_t a = 0; a < key_count; ++a)
            if (keys[a] == key && i < p.T) key_columns[((b * p.H + h) * key_count + a) * p.T + i] = weight;
    }
};

/// What turns f(s) into the weight over the keys: g(Z), and what a slot leaves; 0 where no key is seen.
template <class Policy>
struct share_rows {
    tile_problem<Policy> p;
    float const *reference, *sum, *slot;   ///< (B, H, T); slot may be null
    float* share;
    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        using N = typename Warp::number;
        Warp::visit([&](int lane, int) {
            index_t const i = row * warp_size + lane;
            if (i >= p.B * p.H * p.T) return;
            float x = 1;
            if constexpr (Policy::one_pass) x = weighting_facts<Policy>::row_factor(N(reference[i]), N(sum[i])).v[0];
            if (slot) x *= 1 - slot[i];
            share[i] = p.template visible<Policy>(i / p.T / p.H, i % p.T).none() ? 0 : x;
        });
    }
};

}  // namespace attnlab::gpu
