#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include <attnlab/kernels/cuda/token_joints.hpp>

/// \file
/// What the way back does before its tiles, by the block that owns the queries: an output joint's gradients, and what tiles want to know of rows. A row is a few lanes', sixteen channels
/// each, whose gradients stay in registers. Token by token (token_joints.hpp, adjoint_rows.hpp) rows go through memory once more, and each token adds to sums in shared memory: five
/// times the instructions of an output joint.

namespace attnlab::gpu {

/// The lanes of a row of D channels of `Element` in memory, whose gradients are a gathering_row's.
template <class Group, class Element, int D>
struct gathering_lanes : row_lanes<Group, 4> {
    using element = Element;
    static constexpr index_t row_size = D;
    static constexpr int chunks = D / (4 * Group::size);
    using base = row_lanes<Group, 4>;

    /// A row as it lies in memory, read before its turn comes.
    struct stored {
        lanes_of<Element, 4 * Group::held> of[chunks];

        constexpr void read(Element const* row) {
            unrolled<chunks>([&](int k) {
                Group::visit([&](int lane, int i) {
                    auto const a = *reinterpret_cast<detail::adjacent<Element, 4> const*>(row + k * base::width + 4 * lane);
                    for (int e = 0; e < 4; ++e) of[k].v[4 * i + e] = a.v[e];
                });
            });
        }
        constexpr typename base::pack at(index_t channel) const {
            return each(of[channel / base::width], [](Element e) { return static_cast<float>(e); });
        }
    };
};
/// A row, its gradients, and those of the head's parameters by the rows that were there before.
template <class Policy, class Lanes>
struct gathering_row : row_point<float> {
    using pack = typename Lanes::pack;
    using gathered = std::array<pack, Lanes::chunks>;
    /// What is read of a row.
    struct input {
        typename Lanes::stored weighted, asked, dy;   ///< the weighted values, the query, and the gradient of the result
        float m, z;
    } given;
    gathered d_weighted, d_asked;
    std::array<gathered, Policy::parameter_count + 1> d_rows;   ///< of those parameters that are rows
    std::array<float, Policy::parameter_count + 1> d_numbers;   ///< and of those that are numbers

    static constexpr void clear(gathered& x) {
        for (pack& e : x) e = pack(0.0f);
    }
};

/// Rows of a stored_heads as `Element`s: of those kernels that know which they are.
template <class Element, class S>
constexpr auto rows_of(stored_heads<S> const& x) {
    if constexpr (std::is_same_v<Element, bfloat16>) return x.rounded;
    else return x.whole;
}

/// What a block of backward_queries takes along to make them.
template <class Policy, class Products, int D>
struct rows_back {
    using element = typename Products::element;
    using formula_type = std::remove_const_t<decltype(Policy::output)>;
    static constexpr int lanes = D / 16, at_once = warp_size / lanes, turns = 16 / at_once;   ///< of a row; rows of a warp at once, of its 16
    static constexpr bool has_output = Policy::has_output;

    heads<element const> weighted, asked, dy;   ///< the result, where no output joint follows; the query, where it is read
    heads<element> d_weighted, d_asked;         ///< assigned
    float const *reference, *sum;
    row_record* records;                        ///< (B, H, padded T), assigned
    input_products<Policy> products;
    gradient_copies<Policy> copies;             ///< of each warp of queries, assigned
    float* d_input;                             ///< (B, T, C), or null
    float* nobodys;                             ///< (B, H, nobodys_size): where rows that are not there leave what others add to memory: to the last row's they would add at the same time

    template <class Problem>
    static constexpr index_t nobodys_size(Problem const& p) { return std::max(p.D, p.width); }

    /// Whether a policy's rows can be walked so: none turns, and heads add to no gradient by x together. Where they lie is asked when it is known (attention.hpp, tiles_make_rows).
    static constexpr bool can = [] {
        if constexpr (!Policy::one_pass || Policy::adds_to_input) return false;
        else if constexpr (has_output) return expr::count_rotations<formula_type>() == 0;
        else return true;
    }();

    /// Gradients of what is learned that a warp has summed: of a lane sixteen of each row, and each number.
    static constexpr int sums_of_lane = [] {
        int n = 1;
        if constexpr (has_output) each_gathered<Policy, formula_type>([&]<class P>(std::type_identity<P>, std::size_t) { n += P::size == expr::length::scalar ? 1 : 16; });
        return n;
    }();
    template <class Warp>
    using sums = std::array<typename Warp::number, sums_of_lane>;

    /// The rows of the group's warp, of those of a block, which begin at query `first`. An output joint's gradients of the weighted values go to `tiles` as well.
    template <class Group, class Problem, class Rows, class Sums>
    constexpr void make(Group const& g, Problem const& p, index_t b, index_t h, index_t first, [[maybe_unused]] Rows const& tiles, [[maybe_unused]] Sums& to) const {
        using L = gathering_lanes<Group, element, D>;
        [[maybe_unused]] auto const values = attnlab::detail::of_head<Policy>(p.parameters, p.sizes(), h);
        gathering_row<Policy, L> r;
        if constexpr (has_output) {
            for (auto& x : r.d_rows) r.clear(x);
            r.d_numbers = {};
        }
        auto const read = [&](int turn) {
            typename gathering_row<Policy, L>::input x;
            index_t const t = first + row_of(g, turn), there = t < p.T ? t : p.T - 1, i = (b * p.H + h) * p.T + there;
            x.weighted.read(weighted.row(b, h, there)), x.dy.read(dy.row(b, h, there));
            if constexpr (Policy::output_reads_query) x.asked.read(asked.row(b, h, there));
            x.m = reference[i], x.z = sum[i];
            return x;
        };
        auto next = read(0);
        unrolled<turns>([&](int turn) {
            r.given = next;
            if (turn + 1 < turns) next = read(turn + 1);   // on its way while this one is made
            int const row = row_of(g, turn);
            index_t const t = first + row;
            row_record const record = one<Group>(r, p, values.data(), b, h, t);
            Group::once([&] { records[(b * p.H + h) * padded_length(p.T) + t] = record; });
            if constexpr (has_output)
                unrolled<L::chunks>([&](int k) {
                    Group::visit([&](int lane, int i) {
                        int const channel = static_cast<int>(k * L::width) + 4 * lane;
                        detail::adjacent<element, 4> x;
                        for (int e = 0; e < 4; ++e) x.v[e] = static_cast<element>(r.d_weighted[static_cast<std::size_t>(k)].v[4 * i + e]);
                        *reinterpret_cast<detail::adjacent<element, 4>*>(tiles.data().writes(g, tiles.place(row, channel / Rows::in_one) + channel % Rows::in_one, 4)) = x;
                    });
                });
        });
        if constexpr (has_output) {
            int const lane = Group::held == 1 ? 0 : Group::size * (g.index() % at_once);   // the group's first, as an object has it
            int at = 0;
            each_gathered<Policy, formula_type>([&]<class P>(std::type_identity<P>, std::size_t k) {
                if constexpr (P::size == expr::length::scalar)
                    Group::visit([&](int, int i) { to[static_cast<std::size_t>(at)].v[lane + i] = r.d_numbers[k]; });
                else
                    unrolled<16>([&](int n) { Group::visit([&](int, int i) { to[static_cast<std::size_t>(at + n)].v[lane + i] = r.d_rows[k][static_cast<std::size_t>(n / 4)].v[4 * i + n % 4]; }); });
                at += P::size == expr::length::scalar ? 1 : 16;
            });
        }
    }
    /// After all rows of a warp: its sums, to copy `copy`.
    template <class Warp>
    constexpr void give(Warp const&, sums<Warp> const& from, index_t h, index_t copy) const {
        if constexpr (has_output) {
            auto const to = copies.at(h, copy);
            auto const total = [&](int i) { return Warp::template butterfly<warp_size, lanes>(from[static_cast<std::size_t>(i)], [](float x, float y) { return x + y; }); };
            int at = 0;
            each_gathered<Policy, formula_type>([&]<class P>(std::type_identity<P>, std::size_t k) {
                if constexpr (P::size == expr::length::scalar) {
                    auto const x = total(at);
                    Warp::visit([&](int l, int i) {
                        if (l == 0) *to[k] = x.v[i];
                    });
                    ++at;
                } else {
                    unrolled<4>([&](int chunk) {
                        typename Warp::number x[4];
                        unrolled<4>([&](int e) { x[e] = total(at + 4 * chunk + e); });
                        Warp::visit([&](int l, int i) {
                            if (l < lanes) detail::write(to[k] + 4 * (chunk * lanes + l), detail::adjacent<float, 4>{{x[0].v[i], x[1].v[i], x[2].v[i], x[3].v[i]}});
                        });
                    });
                    at += 16;
                }
            });
        }
    }

private:
    /// The row of a block that a group has in its turn.
    template <class Group>
    static constexpr int row_of(Group const& g, int turn) {
        return 16 * (g.index() / at_once) + turn * at_once + g.index() % at_once;
    }
    /// Token t, whose row is given, or, in place of one that is not there, the last one, whose gradients are then zero.
    template <class Group, class Row, class Problem>
    constexpr row_record one(Row& r, Problem const& p, [[maybe_unused]] float const* const* values, index_t b, index_t h, index_t t) const {
        using L = gathering_lanes<Group, element, D>;
        bool const there = t < p.T;
        if (!there) t = p.T - 1;
        float const m = r.given.m, z = r.given.z;
        expr::row_sum<L> dot;
        float d_log_normalizer = 0;
        if constexpr (has_output) {
            constexpr auto formula = Policy::output;
            static_cast<row_point<float>&>(r) = p.template row<Policy>(b, h, t, values);
            r.head_size = D;
            r.clear(r.d_weighted);
            if constexpr (Policy::output_reads_query) r.clear(r.d_asked);
            if constexpr (Policy::reads_log_normalizer) r.log_normalizer = attnlab::detail::log_normalizer<Policy>(m, z);
            typename input_products<Policy>::of_row own;
            products.look(r, own, b * p.T + t, h);
            r.d_input = d_input ? d_input + (b * p.T + t) * p.width : nullptr;
            if (!there) {
                float* const nowhere = nobodys + (b * p.H + h) * nobodys_size(p);
                own.gradients.fill(nowhere), r.d_input = nowhere;
            }
            expr::as_row<L, Policy, formula_type> root(formula);
            root.forward(r);
            expr::each_chunk<L>(D, [&]<class V>(index_t c, V) { root.template back<V>(r, c, there ? r.given.dy.at(c) : V(0.0f)); });
            root.finish(r);
            auto const put = [&](heads<element> const& to, typename Row::gathered const& from) {
                if (there) unrolled<L::chunks>([&](int k) { L::write(to.row(b, h, t) + k * L::width, from[static_cast<std::size_t>(k)]); });
            };
            put(d_weighted, r.d_weighted);
            if constexpr (Policy::output_reads_query) put(d_asked, r.d_asked);
            // Of what the tiles read: where a row's weight is one key's alone, what it passes on must cancel that key's share.
            if constexpr (Policy::has_sum)
                expr::each_chunk<L>(D, [&]<class V>(index_t c, V) {
                    dot.add(r.given.weighted.at(c) * each(r.d_weighted[static_cast<std::size_t>(c / L::width)], [](float x) { return static_cast<float>(static_cast<element>(x)); }));
                });
            d_log_normalizer = r.d_log_normalizer;
        } else if constexpr (Policy::has_sum) {
            expr::each_chunk<L>(D, [&]<class V>(index_t c, V) { dot.add(r.given.weighted.at(c) * r.given.dy.at(c)); });
        }
        float const products_of_row = Policy::has_sum ? dot.total() : 0;
        return there ? record_of<Policy>(m, z, products_of_row, d_log_normalizer, p.template visible<Policy>(b, t).none()) : no_row;
    }
};

}  // namespace attnlab::gpu

namespace attnlab::expr {

/// A row of numbers whose gradient is in registers.
template <class Lanes, class Policy, class Derived>
struct gathering_leaf {
    using row = gpu::gathering_row<Policy, Lanes>;
    constexpr void forward(row_point<float> const&) const {}
    template <class V, bool = false>
    constexpr V at(row_point<float> const& r, index_t i) const {
        return Derived::value(static_cast<row const&>(r), i);
    }
    template <class V>
    constexpr void back(row_point<float>& r, index_t i, V adjoint) const {
        auto& to = Derived::gradient(static_cast<row&>(r))[static_cast<std::size_t>(i / Lanes::width)];
        to = to + adjoint;
    }
    constexpr void finish(row_point<float>&) const {}
};
template <class Group, class Element, int D, class Policy>
struct evaluator<gpu::gathering_lanes<Group, Element, D>, Policy, symbol<source_tag, length::head>>
    : gathering_leaf<gpu::gathering_lanes<Group, Element, D>, Policy, evaluator<gpu::gathering_lanes<Group, Element, D>, Policy, symbol<source_tag, length::head>>> {
    explicit constexpr evaluator(symbol<source_tag, length::head>) {}
    static constexpr auto value(auto const& r, index_t i) { return r.given.weighted.at(i); }
    static constexpr auto& gradient(auto& r) { return r.d_weighted; }
};
template <class Group, class Element, int D, class Policy>
struct evaluator<gpu::gathering_lanes<Group, Element, D>, Policy, symbol<query_tag, length::head>>
    : gathering_leaf<gpu::gathering_lanes<Group, Element, D>, Policy, evaluator<gpu::gathering_lanes<Group, Element, D>, Policy, symbol<query_tag, length::head>>> {
    explicit constexpr evaluator(symbol<query_tag, length::head>) {}
    static constexpr auto value(auto const& r, index_t i) { return r.given.asked.at(i); }
    static constexpr auto& gradient(auto& r) { return r.d_asked; }
};
template <class Group, class Element, int D, class Policy, class E>
    requires(requires { typename E::learned_tag; } && E::size == length::head)
struct evaluator<gpu::gathering_lanes<Group, Element, D>, Policy, E> : gathering_leaf<gpu::gathering_lanes<Group, Element, D>, Policy, evaluator<gpu::gathering_lanes<Group, Element, D>, Policy, E>> {
    static constexpr std::size_t position = Policy::position_of(E::name);
    explicit constexpr evaluator(E const&) {}
    static constexpr auto value(auto const& r, index_t i) { return gpu::gathering_lanes<Group, Element, D>::load(r.values[position] + i); }
    static constexpr auto& gradient(auto& r) { return r.d_rows[position]; }
};
template <class Group, class Element, int D, class Policy, class E>
    requires(requires { typename E::learned_tag; } && E::size == length::scalar)
struct evaluator<gpu::gathering_lanes<Group, Element, D>, Policy, E> {
    static constexpr std::size_t position = Policy::position_of(E::name);
    explicit constexpr evaluator(E const&) {}
    constexpr float forward(row_point<float> const& r) const { return *r.values[position]; }
    constexpr void backward(row_point<float>& r, float adjoint) const { static_cast<gpu::gathering_row<Policy, gpu::gathering_lanes<Group, Element, D>>&>(r).d_numbers[position] += adjoint; }
};

}  // namespace attnlab::expr
