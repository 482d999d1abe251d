#pragma once
#include <array>
#include <tuple>
#include <type_traits>

#include <attnlab/kernels/cuda/block_order.hpp>
#include <attnlab/kernels/cuda/rows_back.hpp>
#include <attnlab/kernels/cuda/score_joint.hpp>
#include <attnlab/kernels/cuda/tile_walk.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/token_rows.hpp>
#include <attnlab/kernels/cuda/weigh.hpp>

/// \file
/// Attention backward, for any weighting: with R_i known (see weighting_facts::row_adjoint), ds_ij depends on s_ij and do_i . v_j alone. Two
/// kernels make the scores anew: one owns queries and gives dq, what a score joint learns and token numbers at the query; the other owns
/// keys and gives dk, dv and token numbers at the key. Nobody adds to what another block writes, so results are the same bits every time.

namespace attnlab::gpu {

/// What both kernels read.
template <class Policy, class Products>
struct backward_inputs {
    tile_problem<Policy> p;
    tile_source<Products> q, k, v, dy;                        ///< dy: by the weighted values
    float own_scale;                                          ///< by which the queries or keys that a block owns are multiplied
    row_record const* records;                                ///< (B, H, padded T)
    float const* tokens;                                      ///< (B, H, T), of a score joint
    gradient_copies<Policy> copies;                           ///< of what a score joint learns: B tiles warps of them

    constexpr row_record const* records_of(index_t b, index_t h, index_t first) const { return records + (b * p.H + h) * padded_length(p.T) + first; }
    /// The numbers of queries `query(lane)`, from their records.
    template <class Warp, class Query>
    constexpr row_numbers<typename Warp::number> numbers(index_t b, typename Warp::template lanes<row_record> const& of, Query query, float of_all) const {
        using number = typename Warp::number;
        auto const part = [&](auto get) { return each(of, get); };
        row_numbers<number> r{part([](row_record const& e) { return e.m; }), part([](row_record const& e) { return e.z; }), number(1.0f), number(1.0f), number(1.0f),
                              part([](row_record const& e) { return e.factor; }), part([](row_record const& e) { return e.adjoint; })};
        r.lift = weighting_facts<Policy>::lift(r.m);
        read_lengths<Policy, Warp>(r, p, b, query, of_all);
        return r;
    }
};

/// Raw scores of a tile that `x` has entered, and do . v in `d`, become weights and gradients by the raw scores. `numbers(n, k)` of the queries: of a row, k = 0 or 1
/// for g and g + 8, or, `Turned`, of the k-th of a lane's two columns of fragment n. `seen(n, i)`.
template <class Policy, bool Turned, class Joint, class Element, class Fragments, class Numbers, class Seen>
constexpr void weigh_back(Joint& joint, Element& x, Fragments& scores, Fragments& d, Numbers numbers, Seen seen) {
    unrolled<static_cast<int>(std::tuple_size_v<Fragments>)>([&](int n) {
        std::array const of_queries{numbers(n, 0), numbers(n, 1)};
        unrolled<4>([&](int i) {
            auto& e = scores[static_cast<std::size_t>(n)][static_cast<std::size_t>(i)];
            auto& to = d[static_cast<std::size_t>(n)][static_cast<std::size_t>(i)];
            using number = std::remove_reference_t<decltype(e)>;
            auto const [weight, d_score] = weigher<Policy, number>::backward(joint.made(x, n, i, e), to, of_queries[static_cast<std::size_t>(Turned ? i % 2 : i / 2)]);
            auto const in_tile = seen(n, i);
            e = select(in_tile, weight, number(0.0f));
            to = joint.back(x, in_tile, select(in_tile, d_score, number(0.0f)));
        });
    });
    joint.leave(x);
}

/// dq, and what belongs to queries: a block owns queries.
template <class Policy, class Products, int D>
struct backward_queries {
    using sizes = tile_sizes<Products, D>;
    using before_tiles = rows_back<Policy, Products, D>;
    static constexpr int warps = sizes::warps, own = sizes::own, columns = sizes::other_back, stages = sizes::stages,
                         resident = before_tiles::can && score_is_small<Policy> ? sizes::resident_queries : 0;   // what comes before the tiles must not cost a block

    backward_inputs<Policy, Products> in;
    stored_heads<float> dq;
    float* d_query_tokens;     ///< (B, H, T), added to
    before_tiles rows;
    bool makes_rows;           ///< else `in` has them already
    divisor heads_of_kv{in.p.heads_of_kv()};
    block_order order{in.p.B, in.p.H, tiles(), 2 * bytes_of_rows<Products>(in.p.T, D)};

    constexpr index_t shared_bytes() const {
        return shared_rows<emulated_block, Products, D>::bytes(2 * (own + stages * columns));
    }
    constexpr index_t tiles() const { return (in.p.T + own - 1) / own; }
    constexpr index_t blocks() const { return in.p.B * in.p.H * tiles(); }

    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using Warp = typename Block::warp;
        using number = typename Warp::number;
        auto const& p = in.p;
        block_place const place = order(id);
        index_t const b = place.b, h = place.h, kv = heads_of_kv.quotient(static_cast<std::uint32_t>(h));
        index_t const tile = tiles() - 1 - place.turn, i0 = tile * own;   // the last queries, which see most, first
        using tile_rows = shared_rows<Block, Products, D>;
        using stream = tile_stream<warps, tile_rows, Warp>;
        tile_rows const q(block, own), dy(block, own), k(block, stages * columns), v(block, stages * columns);
        scaled_rows<warps, tile_rows> scaled(q, own, in.own_scale);
        struct state {
            stream k, v;
            std::array<row_numbers<number>, 2> row;
            std::array<fragment_c<Warp>, D / 8> dq;
            score_joint<score_setting<Policy, Warp, Products, columns, false>> joint;
            typename before_tiles::template sums<Warp> sums;
        };
        typename Block::template per_warp<state> states(block);
        index_t const copy = (b * tiles() + tile) * warps;

        block.each_warp([&](Warp const& w) {
            stream(w, q, in.q, b, h, p.T).fetch(w, q, 0, static_cast<int>(i0), own);
            if (!Policy::has_output || !makes_rows) stream(w, dy, in.dy, b, h, p.T).fetch(w, dy, 0, static_cast<int>(i0), own);
            block.commit(w);
        });
        if constexpr (before_tiles::can)
            if (makes_rows) {
                block.template each_group<before_tiles::lanes>([&](auto const& g) { rows.make(g, p, b, h, i0, dy, states[g].sums); });
                if constexpr (Policy::has_output) block.each_warp([&](Warp const& w) { rows.give(w, states[w].sums, h, copy + w.index()); });
            }
        block.each_warp([&](Warp const& w) {
            states[w].k = stream(w, k, in.k, b, kv, p.T), states[w].v = stream(w, v, in.v, b, kv, p.T);
            int const warp = w.index();
            unrolled<2>([&](int half) {
                auto const query = [&](int lane) { return i0 + 16 * warp + lane / 4 + 8 * half; };
                row_record const* const records = in.records_of(b, h, 0);
                states[w].row[static_cast<std::size_t>(half)] = in.template numbers<Warp>(b, Warp::each_lane([&](int lane) { return records[query(lane)]; }), query, length_of_all<Policy>(p));
            });
            for (auto& f : states[w].dq) clear<Warp>(f);
            states[w].joint.begin(p, in.tokens, b, h, i0 + 16 * warp);
            if constexpr (Policy::has_score) states[w].joint.gradients_go_to(in.copies.at(h, copy + warp), d_query_tokens);
        });
        walk_tiles<stages>(
            block, p.T, columns, [&](int j) { return what_rows_see<Policy>(p, b, i0, own, j * columns, columns); },
            [&](Warp const& w, int j, int stage) {
                states[w].k.fetch(w, k, stage * columns, j * columns, columns);
                states[w].v.fetch(w, v, stage * columns, j * columns, columns);
            },
            [&](Warp const& w) { scaled.arrived(block, w); },
            [&](int j, int stage, tile_seen seen) {
                scaled.done();
                index_t const j0 = j * columns;
                whole_or_not<Products>(seen, [&]<bool Whole>(std::bool_constant<Whole>) {
                    block.each_warp([&](Warp const& w) {
                        state& s = states[w];
                        int const warp = w.index();
                        score_fragments<Warp, columns> scores, d;
                        auto x = s.joint.enter(j0);   // what it reads is on its way meanwhile
                        multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), q, 16 * warp, k, stage * columns, scores);
                        multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), dy, 16 * warp, v, stage * columns, d);
                        settle<tile_rows>(w, scores, d);
                        weigh_back<Policy, false>(
                            s.joint, x, scores, d, [&](int, int half) { return s.row[static_cast<std::size_t>(half)]; },
                            pairs_of<Policy, Warp, columns, false, Whole>(w, p, seen, b, i0 + 16 * warp, j0));
                        multiply_fragments<Products, columns>(w, d, k, stage * columns, 0, s.dq);
                        settle<tile_rows>(w, s.dq);
                    });
                });
            });
        block.each_warp([&](Warp const& w) {
            int const warp = w.index();
            states[w].joint.end();
            put_rows(w, states[w].dq, dq, {b, h, i0 + 16 * warp}, p, p.scale, Policy::output_reads_query);   // which has left there what it adds
        });
    }
};

/// dk and dv, and what belongs to keys: a block owns keys of one head of k and v, and walks the queries of all heads that read it.
template <class Policy, class Products, int D>
struct backward_keys {
    using sizes = tile_sizes<Products, D>;
    static constexpr int warps = sizes::warps, own = sizes::own, columns = sizes::other_back, stages = sizes::stages,
                         resident = (Policy::one_pass || !Policy::has_score) && score_is_small<Policy> ? sizes::resident_keys : 0;
    static constexpr int part = sizes::columns_back, parts = D / part;   ///< of the channels, where accumulators of all would not fit

    backward_inputs<Policy, Products> in;
    stored_heads<float> dk, dv;
    float* d_key_tokens;     ///< (B, H, T), added to
    index_t group = in.p.heads_of_kv();
    block_order order{in.p.B, in.p.kv_heads(), tiles() * parts, 2 * bytes_of_rows<Products>(in.p.T, D) * group};

    constexpr index_t shared_bytes() const {
        return shared_rows<emulated_block, Products, D>::bytes(2 * (own + stages * columns)) + static_cast<index_t>(sizeof(row_record)) * stages * columns;
    }
    constexpr index_t tiles() const { return (in.p.T + own - 1) / own; }
    constexpr index_t blocks() const { return in.p.B * in.p.kv_heads() * tiles() * parts; }

    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using Warp = typename Block::warp;
        auto const& p = in.p;
        block_place const place = order(id);
        index_t const b = place.b, kv = place.h, channels = place.turn % parts, j0 = place.turn / parts * own;   // the first keys, seen by most, first
        using tile_rows = shared_rows<Block, Products, D>;
        using stream = tile_stream<warps, tile_rows, Warp>;
        tile_rows const k(block, own), v(block, own), q(block, stages * columns), dy(block, stages * columns);
        auto const records = block.template shared<row_record>(stages * columns);
        scaled_rows<warps, tile_rows> scaled(k, own, in.own_scale);
        struct state {
            stream q, dy;
            std::array<fragment_c<Warp>, part / 8> dk, dv;
            score_joint<score_setting<Policy, Warp, Products, columns, true>> joint;
        };
        typename Block::template per_warp<state> states(block);

        block.each_warp([&](Warp const& w) {
            stream(w, k, in.k, b, kv, p.T).fetch(w, k, 0, static_cast<int>(j0), own);
            stream(w, v, in.v, b, kv, p.T).fetch(w, v, 0, static_cast<int>(j0), own);
            block.commit(w);
            for (auto& f : states[w].dk) clear<Warp>(f);
            for (auto& f : states[w].dv) clear<Warp>(f);
        });
        float const of_all = length_of_all<Policy>(p);
        for (index_t h = kv * group; h < (kv + 1) * group; ++h) {
            row_record const* const of_queries = in.records_of(b, h, 0);
            block.each_warp([&](Warp const& w) {
                states[w].q = stream(w, q, in.q, b, h, p.T), states[w].dy = stream(w, dy, in.dy, b, h, p.T);
                if constexpr (Policy::has_score) {
                    states[w].joint.begin(p, in.tokens, b, h, j0 + 16 * w.index());
                    states[w].joint.gradients_go_to({}, d_key_tokens);
                }
            });
            walk_tiles<stages>(
                block, p.T, columns, [&](int i) { return what_rows_see<Policy>(p, b, i * columns, columns, j0, own); },
                [&](Warp const& w, int i, int stage) {
                    states[w].q.fetch(w, q, stage * columns, i * columns, columns);
                    states[w].dy.fetch(w, dy, stage * columns, i * columns, columns);
                    copy_records<warps>(w, records, stage * columns, of_queries + i * columns, columns);
                },
                [&](Warp const& w) { scaled.arrived(block, w); },
                [&](int i, int stage, tile_seen seen) {
                    scaled.done();
                    index_t const i0 = i * columns;
                    whole_or_not<Products>(seen, [&]<bool Whole>(std::bool_constant<Whole>) {
                        block.each_warp([&](Warp const& w) {
                            state& s = states[w];
                            int const warp = w.index();
                            score_fragments<Warp, columns> scores, d;
                            auto x = s.joint.enter(i0);
                            multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), k, 16 * warp, q, stage * columns, scores);
                            multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), v, 16 * warp, dy, stage * columns, d);
                            settle<tile_rows>(w, scores, d);
                            weigh_back<Policy, true>(
                                s.joint, x, scores, d,
                                [&](int n, int e) {
                                    auto const places = Warp::each_lane([&](int lane) { return stage * columns + 8 * n + column_of(lane, e); });
                                    return in.template numbers<Warp>(b, records.get(w, places), [&](int lane) { return i0 + 8 * n + column_of(lane, e); }, of_all);
                                },
                                pairs_of<Policy, Warp, columns, true, Whole>(w, p, seen, b, j0 + 16 * warp, i0));
                            multiply_fragments<Products, columns>(w, scores, dy, stage * columns, static_cast<int>(channels) * part, s.dv);
                            multiply_fragments<Products, columns>(w, d, q, stage * columns, static_cast<int>(channels) * part, s.dk);
                            settle<tile_rows>(w, s.dv, s.dk);
                        });
                    });
                });
            if constexpr (Policy::has_tokens)
                if (channels == 0) block.each_warp([&](Warp const& w) { states[w].joint.end(); });
        }
        block.each_warp([&](Warp const& w) {
            rows_place const at{b, kv, j0 + 16 * w.index(), channels * part};
            put_rows(w, states[w].dk, dk, at, p, in.own_scale);   // else q carried the scale
            put_rows(w, states[w].dv, dv, at, p);
        });
    }
};

}  // namespace attnlab::gpu
