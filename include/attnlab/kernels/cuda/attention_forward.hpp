#pragma once
#include <array>

#include <attnlab/kernels/cuda/block_order.hpp>
#include <attnlab/kernels/cuda/fragment_rows.hpp>
#include <attnlab/kernels/cuda/score_joint.hpp>
#include <attnlab/kernels/cuda/tile_walk.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/weigh.hpp>
#include <attnlab/kernels/threshold_search.hpp>

/// \file
/// Attention forward: a block owns 64 queries of a head, 16 a warp, and walks the tiles of keys that they see. Of a weight f(s) g(Z) in one
/// pass with a running reference (FlashAttention-2, 2307.08691); of any other a pass for the row's number, then one for the values. At the end the output joint is made, where it can be
/// (fragment_rows.hpp).

namespace attnlab::gpu {

template <class Policy, class Products, int D>
struct forward_tiles {
    using sizes = tile_sizes<Products, D>;
    static constexpr bool light = Policy::one_pass;   ///< in registers
    static constexpr int warps = sizes::warps, rows = sizes::own, columns = sizes::other, stages = sizes::stages,
                         resident = light && score_is_small<Policy> ? sizes::resident_queries : 0;   // what comes before and after the tiles must not cost a block

    tile_problem<Policy> p;
    tile_source<Products> q, k, v;
    float own_scale;                      ///< by which queries are multiplied
    stored_heads<float> to;               ///< sum_j w_ij v_j
    heads<float> by_sum;                  ///< sum_j dw_ij/dZ_i v_j, where a weight does not separate
    float *reference, *sum;               ///< (B, H, T)
    float const* tokens;                  ///< (B, H, T), of a score joint
    joined_output<Policy> output;
    divisor heads_of_kv{p.heads_of_kv()};
    block_order order{p.B, p.H, row_tiles(), 2 * bytes_of_rows<Products>(p.T, D)};

    constexpr index_t shared_bytes() const {
        return shared_rows<emulated_block, Products, D>::bytes(rows + 2 * stages * columns);
    }
    constexpr index_t blocks() const { return p.B * p.H * row_tiles(); }

    template <class Block>
    constexpr void operator()(Block& block, index_t id) const {
        // The last queries, which see most, first: what is left for the end is short.
        auto const place = order(id);
        run<Block> work(*this, block, place, (row_tiles() - 1 - place.turn) * rows);
        work.all();
    }

private:
    constexpr index_t row_tiles() const { return (p.T + rows - 1) / rows; }

    template <class Block>
    struct run {
        using Warp = typename Block::warp;
        using number = typename Warp::number;
        using flag = typename Warp::flag;
        using weigh = weigher<Policy, number>;
        using tile_rows = shared_rows<Block, Products, D>;
        using stream = tile_stream<warps, tile_rows, Warp>;
        static constexpr bool has_second = !Policy::one_pass;

        /// What a warp knows of its rows: of each lane two, g and g + 8.
        struct state {
            stream k, v;
            std::array<row_numbers<number>, 2> row;
            std::array<fragment_c<Warp>, D / 8> o;
            std::array<fragment_c<Warp>, has_second ? D / 8 : 1> second;
            std::array<number, 2> total, slope;   ///< of the weights, and of their derivatives by the row's number
            std::array<typename Warp::template lanes<threshold_search>, Policy::has_threshold ? 2 : 1> search;
            score_joint<score_setting<Policy, Warp, Products, columns, false>> joint;
        };

        forward_tiles const& all_;
        Block& block;
        index_t b, h, kv, i0;
        tile_rows q_, k_, v_;
        scaled_rows<warps, tile_rows> scaled_{q_, rows, all_.own_scale};
        typename Block::template per_warp<state> states;

        constexpr run(forward_tiles const& a, Block& on, block_place const& at, index_t first)
            : all_(a), block(on), b(at.b), h(at.h), kv(a.heads_of_kv.quotient(static_cast<std::uint32_t>(at.h))), i0(first), q_(on, rows), k_(on, stages * columns), v_(on, stages * columns),
              states(on) {}

        constexpr void all() {
            block.each_warp([&](Warp const& w) {
                auto const& p = all_.p;
                state& s = states[w];
                stream(w, q_, all_.q, b, h, p.T).fetch(w, q_, 0, static_cast<int>(i0), rows);
                block.commit(w);
                s.k = stream(w, k_, all_.k, b, kv, p.T), s.v = stream(w, v_, all_.v, b, kv, p.T);
                start(w, s);
            });
            if constexpr (Policy::one_pass) {
                sweep<true>([&](Warp const& w, state& s, auto& scores, auto seen, int stage) { one_pass(w, s, scores, seen, stage); });
            } else {
                sweep<false>([&](Warp const& w, state& s, auto& scores, auto seen, int) { gather(w, s, scores, seen); });
                if constexpr (Policy::has_threshold) solve();
                sweep<true>([&](Warp const& w, state& s, auto& scores, auto seen, int stage) { two_passes(w, s, scores, seen, stage); });
            }
            block.each_warp([&](Warp const& w) { finish(w, states[w]); });
            if constexpr (joined_output<Policy>::can)
                if (all_.output.on) block.template each_group<4>([&](auto const& g) { join(g, states[g]); });
        }

    private:
        constexpr index_t row(int lane, int warp, int half) const { return i0 + 16 * warp + lane / 4 + 8 * half; }

        constexpr void start(Warp const& w, state& s) const {
            int const warp = w.index();
            unrolled<2>([&](int half) {
                auto& r = s.row[static_cast<std::size_t>(half)];
                r = weigh::before_the_first();
                read_lengths<Policy, Warp>(r, all_.p, b, [&](int lane) { return row(lane, warp, half); }, length_of_all<Policy>(all_.p));
                s.total[static_cast<std::size_t>(half)] = s.slope[static_cast<std::size_t>(half)] = number(0.0f);
            });
            for (auto& f : s.o) clear<Warp>(f);
            for (auto& f : s.second) clear<Warp>(f);
            s.joint.begin(all_.p, all_.tokens, b, h, i0 + 16 * warp);
        }

        /// Walks the tiles of keys: `body(warp, state, scores, seen(n, i), stage)`; with v or without.
        template <bool WithValues, class Body>
        constexpr void sweep(Body body) {
            auto const& p = all_.p;
            walk_tiles<stages>(
                block, p.T, columns, [&](int j) { return what_rows_see<Policy>(p, b, i0, rows, j * columns, columns); },
                [&](Warp const& w, int j, int stage) {
                    states[w].k.fetch(w, k_, stage * columns, j * columns, columns);
                    if constexpr (WithValues) states[w].v.fetch(w, v_, stage * columns, j * columns, columns);
                },
                [&](Warp const& w) { scaled_.arrived(block, w); },
                [&](int j, int stage, tile_seen seen) {
                    scaled_.done();
                    auto const of_warp = [&](Warp const& w, auto pair) {
                        score_fragments<Warp, columns> scores;
                        auto x = states[w].joint.enter(j * columns);   // what it reads is on its way meanwhile
                        multiply_rows<Products, D, columns>(w, static_cast<int>(p.D), q_, 16 * w.index(), k_, stage * columns, scores);
                        settle<tile_rows>(w, scores);
                        states[w].joint.apply(x, scores);
                        body(w, states[w], scores, pair, stage);
                    };
                    whole_or_not<Products, light>(seen, [&]<bool Whole>(std::bool_constant<Whole>) {
                        block.each_warp([&](Warp const& w) { of_warp(w, pairs_of<Policy, Warp, columns, false, Whole>(w, p, seen, b, i0 + 16 * w.index(), j * columns)); });
                    });
                });
        }

        /// The rows' references rise to the largest score seen; what was weighted before shrinks.
        template <class Scores, class Seen>
        constexpr void raise([[maybe_unused]] state& s, [[maybe_unused]] Scores& scores, [[maybe_unused]] Seen seen) const {
            if constexpr (weighting_facts<Policy>::has_reference) {
                std::array<number, 2> top{number(-std::numeric_limits<float>::infinity()), number(-std::numeric_limits<float>::infinity())};
                each_score(scores, [&](int n, int i, number& e) {
                    number& t = top[static_cast<std::size_t>(i / 2)];
                    t = max(select(seen(n, i), e, t), t);
                });
                std::array<number, 2> shrunk;
                unrolled<2>([&](int half) {
                    auto const r = static_cast<std::size_t>(half);
                    shrunk[r] = weigh::raise(s.row[r], over_row<Warp>(top[r], [](float x, float y) { return elementary<Warp::held>::max(x, y); }));
                });
                if constexpr (Policy::one_pass)
                    if (Warp::any(shrunk[0] * shrunk[1] < number(1.0f))) each_score(s.o, [&](int, int i, number& e) { e = e * shrunk[static_cast<std::size_t>(i / 2)]; });
            }
        }
        /// Adds, over a row's columns, what each lane found of them.
        static constexpr void add_row(number& to, number const& found) {
            to += over_row<Warp>(found, [](float x, float y) { return x + y; });
        }

        template <class Scores, class Seen>
        constexpr void one_pass(Warp const& w, state& s, Scores& scores, Seen seen, int stage) const {
            raise(s, scores, seen);
            std::array<number, 2> z{number(0.0f), number(0.0f)};
            each_score(scores, [&](int n, int i, number& e) {
                auto const half = static_cast<std::size_t>(i / 2);
                auto const in = seen(n, i);
                auto const [f, summand] = weigh::one_pass(e, s.row[half]);
                e = select(in, f, number(0.0f));
                if constexpr (Policy::has_sum) z[half] += select(in, summand, number(0.0f));
            });
            if constexpr (Policy::has_sum) unrolled<2>([&](int half) { s.row[static_cast<std::size_t>(half)].z += z[static_cast<std::size_t>(half)]; });   // of a lane's columns
            multiply_fragments<Products, columns>(w, scores, v_, stage * columns, 0, s.o);
            settle<tile_rows>(w, s.o);
        }
        template <class Scores, class Seen>
        constexpr void gather(Warp const&, state& s, Scores& scores, Seen seen) const {
            raise(s, scores, seen);
            if constexpr (Policy::has_sum) {
                std::array<number, 2> z{number(0.0f), number(0.0f)};
                each_score(scores, [&](int n, int i, number& e) {
                    auto const half = static_cast<std::size_t>(i / 2);
                    z[half] += select(seen(n, i), weigh::summand(e, s.row[half]), number(0.0f));
                });
                unrolled<2>([&](int half) { add_row(s.row[static_cast<std::size_t>(half)].z, z[static_cast<std::size_t>(half)]); });
            }
        }
        /// Weights and their slopes by the row's number; `sum` and `s.slope` gather them.
        template <class Scores, class Seen>
        constexpr void weights(state& s, Scores& scores, Scores& by_sum, std::array<number, 2>& sum, Seen seen) const {
            std::array<number, 2> total{number(0.0f), number(0.0f)}, slope{number(0.0f), number(0.0f)};
            each_score(scores, [&](int n, int i, number& e) {
                auto const half = static_cast<std::size_t>(i / 2);
                auto const in = seen(n, i);
                auto const [weight, derivative] = weigh::two_passes(e, s.row[half]);
                number& d = by_sum[static_cast<std::size_t>(n)][static_cast<std::size_t>(i)];
                e = select(in, weight, number(0.0f)), d = select(in, derivative, number(0.0f));
                total[half] += e, slope[half] += d;
            });
            unrolled<2>([&](int half) { add_row(sum[static_cast<std::size_t>(half)], total[static_cast<std::size_t>(half)]), add_row(s.slope[static_cast<std::size_t>(half)], slope[static_cast<std::size_t>(half)]); });
        }
        template <class Scores, class Seen>
        constexpr void two_passes(Warp const& w, state& s, Scores& scores, Seen seen, int stage) const {
            Scores by_sum;
            weights(s, scores, by_sum, s.total, seen);
            multiply_fragments<Products, columns>(w, scores, v_, stage * columns, 0, s.o);
            multiply_fragments<Products, columns>(w, by_sum, v_, stage * columns, 0, s.second);
            settle<tile_rows>(w, s.o, s.second);
        }

        /// The rows' thresholds, each step a sweep over the keys: the scores are made again rather than kept.
        constexpr void solve() {
            block.each_warp([&](Warp const& w) {
                state& s = states[w];
                each_half_lane(s, [](row_numbers<number>& r, threshold_search& search, int l) {
                    float const m = r.m.v[l];
                    search = threshold_search::from_minus_one();
                    search.done = !(m > -std::numeric_limits<float>::infinity() && m < std::numeric_limits<float>::infinity());
                    if (search.done) search.t = m;   // no key, or a NaN that the weights will show
                    r.z.v[l] = search.t;
                });
            });
            for (bool open = true; open;) {
                block.each_warp([&](Warp const& w) { states[w].total = states[w].slope = {number(0.0f), number(0.0f)}; });
                sweep<false>([&](Warp const&, state& s, auto& scores, auto seen, int) {
                    auto by_sum = scores;
                    weights(s, scores, by_sum, s.total, seen);
                });
                open = block.any_warp([&](Warp const& w) {
                    state& s = states[w];
                    flag some(false);
                    unrolled<2>([&](int half) {
                        auto const r = static_cast<std::size_t>(half);
                        Warp::visit([&](int, int l) {
                            threshold_search& search = s.search[r].v[l];
                            if (!search.done) search.step(s.total[r].v[l] - 1, s.slope[r].v[l]);
                            s.row[r].z.v[l] = search.t;
                            some.v[l] = some.v[l] || !search.done;
                        });
                    });
                    return Warp::any(some);
                });
            }
            block.each_warp([&](Warp const& w) { states[w].slope = {number(0.0f), number(0.0f)}; });
        }
        template <class Body>
        static constexpr void each_half_lane(state& s, Body body) {
            unrolled<2>([&](int half) {
                auto const r = static_cast<std::size_t>(half);
                Warp::visit([&](int, int l) { body(s.row[r], s.search[r].v[l], l); });
            });
        }

        constexpr void finish(Warp const& w, state& s) const {
            int const warp = w.index();
            auto const& p = all_.p;
            unrolled<2>([&](int half) {
                auto const at = static_cast<std::size_t>(half);
                auto& r = s.row[at];
                number factor(1.0f), second(1.0f);
                if constexpr (Policy::one_pass && Policy::has_sum) r.z = over_row<Warp>(r.z, [](float x, float y) { return x + y; });
                if constexpr (Policy::one_pass) factor = weighting_facts<Policy>::row_factor(r.m, r.z);
                // dt/ds_j = (dw_j/ds_j) / sum_k -dw_k/dt: the threshold's share of every gradient.
                if constexpr (Policy::has_threshold) second = each(s.slope[at], [](float x) { return x == 0 ? 0.0f : -1 / x; });
                Warp::visit([&](int lane, int l) {
                    index_t const i = row(lane, warp, half);
                    if (lane % 4 == 0 && i < p.T) all_.reference[(b * p.H + h) * p.T + i] = r.m.v[l], all_.sum[(b * p.H + h) * p.T + i] = r.z.v[l];
                });
                // A row that sees no key has no Z to divide by.
                flag const none = Warp::each_lane([&](int lane) { return row(lane, warp, half) < p.T && p.template visible<Policy>(b, row(lane, warp, half)).none(); });
                unrolled<2>([&](int e) {
                    auto const i = static_cast<std::size_t>(2 * half + e);
                    for (auto& f : s.o) f[i] = select(none, number(0.0f), factor * f[i]);
                    if constexpr (has_second)
                        for (auto& f : s.second) f[i] = second * f[i];
                });
            });
            rows_place const at{b, h, i0 + 16 * warp};
            put_rows(w, s.o, all_.to, at, p);
            if constexpr (has_second) put_rows(w, s.second, all_.by_sum, at, p);
        }
        template <class Group>
        constexpr void join(Group const& g, state const& s) const {
            int const lane = Group::size * (g.index() % 8), i = Group::held == 1 ? 0 : lane;   // a row's first, and as an object has it
            unrolled<2>([&](int half) {
                auto const& r = s.row[static_cast<std::size_t>(half)];
                all_.output.template make<Group>(all_.p, s.o, half, i, b, h, row(lane, g.index() / 8, half), r.m.v[i], r.z.v[i]);
            });
        }
    };
};

}  // namespace attnlab::gpu
