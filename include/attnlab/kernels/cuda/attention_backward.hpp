#pragma once
#include <array>

#include <attnlab/kernels/cuda/score_rows.hpp>
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
    packed_rows<Products> q, k, v, dy;                        ///< dy: by the weighted values
    row_record const* records;                                ///< (B, H, padded T)
    float const* tokens;                                      ///< (B, H, T), of a score joint
    gradient_copies<Policy> copies;                           ///< of what a score joint learns: B tiles warps of them
    float* unread;                                            ///< where gradients go that the other kernel makes: `unread_numbers` a warp

    /// The parameters' numbers of one head, and room for keys or queries of a tile.
    constexpr index_t unread_numbers() const { return copies.numbers / p.H + 64; }
    constexpr std::array<float*, Policy::parameter_count + 1> unread_parameters(index_t warp) const {
        std::array<float*, Policy::parameter_count + 1> out{};
        for (std::size_t k = 0; k < Policy::parameter_count; ++k) out[k] = unread + warp * unread_numbers() + copies.offset[k] / p.H;
        return out;
    }
    constexpr float* unread_tokens(index_t warp) const { return unread + warp * unread_numbers() + copies.numbers / p.H; }

    constexpr row_record const* records_of(index_t b, index_t h, index_t first) const { return records + (b * p.H + h) * padded_length(p.T) + first; }
    /// The numbers of queries `query(lane)`, from their records.
    template <class Warp, class Query>
    constexpr row_numbers<typename Warp::number> numbers(index_t b, typename Warp::template lanes<row_record> const& of, Query query) const {
        using number = typename Warp::number;
        auto const part = [&](auto get) { return each(of, get); };
        row_numbers<number> r{part([](row_record const& e) { return e.m; }), part([](row_record const& e) { return e.z; }), number(1.0f), number(1.0f), number(1.0f),
                              part([](row_record const& e) { return e.factor; }), part([](row_record const& e) { return e.adjoint; })};
        r.lift = weighting_facts<Policy>::lift(r.m);
        read_lengths<Policy, Warp>(r, p, b, query);
        return r;
    }
};

/// Scores and do . v of a tile become weights and gradients by the raw products. `Turned`: rows are keys, columns queries.
template <class Policy, class Products, int D, int Columns, bool Turned, class Block>
struct backward_tile {
    using Warp = typename Block::warp;
    using number = typename Warp::number;
    using fragments = score_fragments<Warp, Columns>;
    static constexpr int own = tile_sizes<Products, D>::own;
    using joint_tile = score_tile<Block, Turned ? Columns : own, Turned ? own : Columns, Policy::has_score ? 3 : 0>;

    joint_tile joint;

    explicit constexpr backward_tile(Block& block) : joint(block) {}

    /// `products(warp, scores)` makes the raw products, `upstream(warp, d)` do . v; `numbers(warp, n, i)` of the queries, `seen(warp, n, i)`,
    /// `gradients(warp, row)` of a score joint, `use(warp, weights, d_raw)`.
    template <class Scores, class Upstream, class Numbers, class Seen, class Gradients, class Use>
    constexpr void run(Block& block, backward_inputs<Policy, Products> const& in, tile_place at, Scores products, Upstream upstream, Numbers numbers, Seen seen,
                       [[maybe_unused]] Gradients gradients, Use use) {
        auto const weigh = [&](Warp const& w, fragments& scores, fragments& d) {
            upstream(w, d);
            settle<shared_rows<Block, Products, D>>(w, scores, d);
            each_score(scores, [&](int n, int i, number& e) {
                number& d_w = d[static_cast<std::size_t>(n)][static_cast<std::size_t>(i)];
                auto const [weight, d_score] = weigher<Policy, number>::backward(e, d_w, numbers(w, n, i));
                auto const in_tile = seen(w, n, i);
                e = select(in_tile, weight, number(0.0f)), d_w = select(in_tile, d_score, number(0.0f));
            });
        };
        if constexpr (Policy::has_score) {
            typename Block::template per_warp<fragments> weights(block);
            each_warps_scores<Policy, shared_rows<Block, Products, D>, Turned, Columns>(block, joint, in.p, in.tokens, at, products, [&](Warp const& w, fragments& scores) {
                fragments d;
                weigh(w, scores, d);
                weights[w] = scores;
                joint.template put<Turned>(w, joint.made, d, 16 * w.index());
            });
            block.each_warp([&](Warp const& w) {
                joint.template backward<Policy>(w, block.warps(), in.p, in.tokens, at, [&](row_point<float>& row) { return gradients(w, row); });
            });
            block.each_warp([&](Warp const& w) {
                fragments d;
                joint.template get<Turned>(w, joint.d_raw, d, 16 * w.index());
                use(w, weights[w], d);
            });
        } else {
            each_warps_scores<Policy, shared_rows<Block, Products, D>, Turned, Columns>(block, joint, in.p, in.tokens, at, products, [&](Warp const& w, fragments& scores) {
                fragments d;
                weigh(w, scores, d);
                use(w, scores, d);
            });
        }
    }
};

/// Where gradients of rows go: to floats, or rounded.
struct tile_rows_out {
    heads<float> whole;
    heads<bfloat16> rounded;
    template <class Warp, class Fragments, class Problem>
    constexpr void put(Warp const& w, Fragments const& c, index_t b, index_t h, index_t first, index_t c0, Problem const& p, float scale, bool add) const {
        if (rounded.data) put_rows(w, c, rounded, b, h, first, c0, p.T, p.D, scale, false);
        else put_rows(w, c, whole, b, h, first, c0, p.T, p.D, scale, add);
    }
};

/// dq, and what belongs to queries: a block owns queries.
template <class Policy, class Products, int D>
struct backward_queries {
    using sizes = tile_sizes<Products, D>;
    static constexpr int warps = sizes::warps, own = sizes::own, columns = sizes::other_back, stages = sizes::stages,
                         resident = Policy::has_score ? 0 : sizes::resident_queries;
    using element = typename Products::element;

    backward_inputs<Policy, Products> in;
    tile_rows_out dq;
    float* d_query_tokens;     ///< (B, H, T), added to

    constexpr index_t shared_bytes() const {
        index_t const scores = Policy::has_score ? 3 * shared_scores<own, columns>::bytes : 0;
        return shared_rows<emulated_block, Products, D>::bytes(2 * (own + stages * columns)) + scores;
    }
    constexpr index_t tiles() const { return (in.p.T + own - 1) / own; }
    constexpr index_t blocks() const { return in.p.B * in.p.H * tiles(); }

    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using Warp = typename Block::warp;
        using number = typename Warp::number;
        auto const& p = in.p;
        auto const [pair, turn] = place_of_block(id, p.B * p.H, tiles(), 2 * in.k.bytes_of_head());
        index_t const tile = tiles() - 1 - turn;   // the last queries, which see most, first
        index_t const b = pair / p.H, h = pair % p.H, kv = p.kv_head(h), i0 = tile * own;
        using tile_rows = shared_rows<Block, Products, D>;
        tile_rows const q(block, own), dy(block, own), k(block, stages * columns), v(block, stages * columns);
        backward_tile<Policy, Products, D, columns, false, Block> work(block);
        struct state {
            std::array<row_numbers<number>, 2> row;
            std::array<fragment_c<Warp>, D / 8> dq;
        };
        typename Block::template per_warp<state> states(block);

        block.each_warp([&](Warp const& w) {
            q.template copy<warps>(w, 0, in.q.row(b, h, i0), own);
            dy.template copy<warps>(w, 0, in.dy.row(b, h, i0), own);
            block.commit(w);
            int const warp = w.index();
            unrolled<2>([&](int half) {
                auto const query = [&](int lane) { return i0 + 16 * warp + lane / 4 + 8 * half; };
                row_record const* const records = in.records_of(b, h, 0);
                states[w].row[static_cast<std::size_t>(half)] = in.template numbers<Warp>(b, Warp::each_lane([&](int lane) { return records[query(lane)]; }), query);
            });
            for (auto& f : states[w].dq) clear<Warp>(f);
        });
        element const *const keys = in.k.row(b, kv, 0), *const values = in.v.row(b, kv, 0);
        auto const rows_see = what_rows_see<Policy>(p, b, i0, own);
        walk_tiles<stages>(
            block, p.T, columns, [&](int j) { return rows_see(block, j * columns, columns); },
            [&](Warp const& w, int j, int stage) {
                k.template copy<warps>(w, stage * columns, keys + index_t{j} * (columns * D), columns);
                v.template copy<warps>(w, stage * columns, values + index_t{j} * (columns * D), columns);
            },
            [&](int j, int stage, tile_seen seen) {
                tile_place const at{b, h, i0, j * columns};
                auto const sees = [&](index_t i, index_t key) { return seen == tile_seen::all || (i < p.T && p.template visible<Policy>(b, i).sees(key)); };
                whole_or_not<Products>(seen, [&]<bool Whole>(std::bool_constant<Whole>) { work.run(
                    block, in, at,
                    [&](Warp const& w, auto& scores) { multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), q, 16 * w.index(), k, stage * columns, scores); },
                    [&](Warp const& w, auto& d) { multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), dy, 16 * w.index(), v, stage * columns, d); },
                    [&](Warp const& w, int, int i) { return states[w].row[static_cast<std::size_t>(i / 2)]; },
                    [&](Warp const& w, int n, int i) {
                        int const warp = w.index();
                        return Warp::each_lane([&](int lane) { return Whole || sees(i0 + 16 * warp + row_of(lane, i), at.j0 + 8 * n + column_of(lane, i)); });
                    },
                    [&](Warp const& w, row_point<float>& row) {
                        if constexpr (Policy::has_tokens) {
                            row.d_query_tokens = d_query_tokens + pair * p.T;
                            row.d_key_tokens = in.unread_tokens(id * warps + w.index()) - at.j0;
                        }
                        return in.copies.at(h, (b * tiles() + tile) * warps + w.index());
                    },
                    [&](Warp const& w, auto const&, auto const& d) {
                        multiply_fragments<Products, columns>(w, d, k, stage * columns, 0, states[w].dq);
                        settle<tile_rows>(w, states[w].dq);
                    });
                });
            });
        block.each_warp([&](Warp const& w) {
            int const warp = w.index();
            dq.put(w, states[w].dq, b, h, i0 + 16 * warp, 0, p, p.template score_scale<Policy>(), Policy::output_reads_query);   // which has left there what it adds
        });
    }
};

/// dk and dv, and what belongs to keys: a block owns keys of one head of k and v, and walks the queries of all heads that read it.
template <class Policy, class Products, int D>
struct backward_keys {
    using sizes = tile_sizes<Products, D>;
    static constexpr int warps = sizes::warps, own = sizes::own, columns = sizes::other_back, stages = sizes::stages,
                         resident = Policy::has_score ? 0 : sizes::resident_keys;
    static constexpr int part = sizes::columns_back, parts = D / part;   ///< of the channels, where accumulators of all would not fit
    using element = typename Products::element;

    backward_inputs<Policy, Products> in;
    tile_rows_out dk, dv;
    float* d_key_tokens;     ///< (warps, B, H, T), added to

    constexpr index_t shared_bytes() const {
        index_t const scores = Policy::has_score ? 3 * shared_scores<columns, own>::bytes : 0, records = static_cast<index_t>(sizeof(row_record)) * stages * columns;
        return shared_rows<emulated_block, Products, D>::bytes(2 * (own + stages * columns)) + records + scores;
    }
    constexpr index_t tiles() const { return (in.p.T + own - 1) / own; }
    constexpr index_t blocks() const { return in.p.B * in.p.kv_heads() * tiles() * parts; }

    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        using Warp = typename Block::warp;
        auto const& p = in.p;
        auto const [pair, turn] = place_of_block(id, p.B * p.kv_heads(), tiles() * parts, 2 * in.q.bytes_of_head() * (p.H / p.kv_heads()));
        index_t const channels = turn % parts, tile = turn / parts;   // the first keys, seen by most, first
        index_t const b = pair / p.kv_heads(), kv = pair % p.kv_heads(), group = p.H / p.kv_heads(), j0 = tile * own;
        using tile_rows = shared_rows<Block, Products, D>;
        tile_rows const k(block, own), v(block, own), q(block, stages * columns), dy(block, stages * columns);
        auto const records = block.template shared<row_record>(stages * columns);
        backward_tile<Policy, Products, D, columns, true, Block> work(block);
        struct state {
            std::array<fragment_c<Warp>, part / 8> dk, dv;
        };
        typename Block::template per_warp<state> states(block);

        block.each_warp([&](Warp const& w) {
            k.template copy<warps>(w, 0, in.k.row(b, kv, j0), own);
            v.template copy<warps>(w, 0, in.v.row(b, kv, j0), own);
            block.commit(w);
            for (auto& f : states[w].dk) clear<Warp>(f);
            for (auto& f : states[w].dv) clear<Warp>(f);
        });
        for (index_t h = kv * group; h < (kv + 1) * group; ++h) {
            element const *const queries = in.q.row(b, h, 0), *const upstream = in.dy.row(b, h, 0);
            row_record const* const of_queries = in.records_of(b, h, 0);
            walk_tiles<stages>(
                block, p.T, columns, [&](int i) { return what_rows_see<Policy>(p, b, i * columns, columns)(block, static_cast<int>(j0), own); },
                [&](Warp const& w, int i, int stage) {
                    q.template copy<warps>(w, stage * columns, queries + index_t{i} * (columns * D), columns);
                    dy.template copy<warps>(w, stage * columns, upstream + index_t{i} * (columns * D), columns);
                    copy_records<warps>(w, records, stage * columns, of_queries + i * columns, columns);
                },
                [&](int i, int stage, tile_seen seen) {
                    tile_place const at{b, h, i * columns, j0};
                    auto const sees = [&](index_t query, index_t key) { return seen == tile_seen::all || (query < p.T && p.template visible<Policy>(b, query).sees(key)); };
                    whole_or_not<Products>(seen, [&]<bool Whole>(std::bool_constant<Whole>) { work.run(
                        block, in, at,
                        [&](Warp const& w, auto& scores) { multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), k, 16 * w.index(), q, stage * columns, scores); },
                        [&](Warp const& w, auto& d) { multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), v, 16 * w.index(), dy, stage * columns, d); },
                        [&](Warp const& w, int n, int e) {
                            auto const places = Warp::each_lane([&](int lane) { return stage * columns + 8 * n + column_of(lane, e); });
                            return in.template numbers<Warp>(b, records.get(w, places), [&](int lane) { return at.i0 + 8 * n + column_of(lane, e); });
                        },
                        [&](Warp const& w, int n, int e) {
                            int const warp = w.index();
                            return Warp::each_lane([&](int lane) { return Whole || sees(at.i0 + 8 * n + column_of(lane, e), j0 + 16 * warp + row_of(lane, e)); });
                        },
                        [&](Warp const& w, row_point<float>& row) {
                            index_t const warp = id * warps + w.index();
                            if constexpr (Policy::has_tokens) {
                                row.d_query_tokens = in.unread_tokens(warp) - at.i0;
                                row.d_key_tokens = channels == 0 ? d_key_tokens + ((w.index() * p.B + b) * p.H + h) * p.T : in.unread_tokens(warp) - j0;
                            }
                            return in.unread_parameters(warp);
                        },
                        [&](Warp const& w, auto const& weights, auto const& d) {
                            state& s = states[w];
                            multiply_fragments<Products, columns>(w, weights, dy, stage * columns, static_cast<int>(channels) * part, s.dv);
                            multiply_fragments<Products, columns>(w, d, q, stage * columns, static_cast<int>(channels) * part, s.dk);
                            settle<tile_rows>(w, s.dv, s.dk);
                        });
                    });
                });
        }
        block.each_warp([&](Warp const& w) {
            int const warp = w.index();
            dk.put(w, states[w].dk, b, kv, j0 + 16 * warp, channels * part, p, 1, false);   // q carried the scale
            dv.put(w, states[w].dv, b, kv, j0 + 16 * warp, channels * part, p, 1, false);
        });
    }
};

}  // namespace attnlab::gpu
