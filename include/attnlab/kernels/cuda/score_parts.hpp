#pragma once
#include <array>
#include <cstdint>
#include <type_traits>

#include <attnlab/kernels/cuda/row_lanes.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>

/// \file
/// The formula of a score joint (attention/expression.hpp) on pairs of query and key that lie in a warp's lanes: its values, and by reverse-mode
/// differentiation its gradients. Parts of the formula that belong to the head, to a query or to a key are computed once for all pairs they serve.

namespace attnlab::gpu {

/// What a part of a formula belongs to beside its head, as bits: a query, a key, or both.
inline constexpr int of_head = 0, of_query = 1, of_key = 2, of_pair = of_query | of_key;

template <class E>
inline constexpr int leaf_belongs = of_head;
template <class Tag>
inline constexpr int leaf_belongs<expr::symbol<Tag>> = expr::varies_by_row<expr::symbol<Tag>>::value ? of_query : of_head;
template <class Tag>
inline constexpr int leaf_belongs<expr::symbol<Tag, expr::length::keys>> = std::is_same_v<Tag, expr::key_position_tag> ? of_key : of_pair;
template <class Table, class Bucket>
inline constexpr int leaf_belongs<expr::looked_up<Table, Bucket>> = of_pair;
template <class A, bool Scan, expr::side At>
inline constexpr int leaf_belongs<expr::token_number<A, Scan, At>> = At == expr::side::query ? of_query : of_key;

template <class E>
consteval int belongs() {
    if constexpr (expr::is_token_number<E>::value) return leaf_belongs<E>;
    else if constexpr (requires(E e) { e.b; }) return belongs<decltype(E::a)>() | belongs<decltype(E::b)>();
    else if constexpr (requires(E e) { e.a; }) return belongs<decltype(E::a)>();
    else return leaf_belongs<E>;
}

/// What a formula is compiled for. `Turned`: rows of fragments are keys, columns queries. What a joint learns gets its gradients where rows are
/// queries, and a token's number where rows are its side.
template <class P, class W, class Products, int C, bool T>
struct score_setting {
    using policy = P;
    using warp = W;
    using number = typename W::number;
    using whole = typename W::whole;
    static constexpr int columns = C;
    static constexpr bool turned = T;
    static constexpr int of_row = T ? of_key : of_query, of_column = T ? of_query : of_key;
    static constexpr bool rounded = Products::written_out;   ///< scores are products of bfloat16
};

/// Element i of fragment n, of a tile: lane by lane a pair.
template <class G>
struct score_element {
    using whole = typename G::whole;

    tile_problem<typename G::policy> const* p;
    index_t b;
    float const* tokens;                                          ///< (T): the token numbers of the head
    std::array<float*, G::policy::parameter_count + 1> d_parameters;   ///< this warp's, of the head
    float* d_tokens;                                              ///< (T)
    whole row, column;                                            ///< of element 0 of fragment 0
    typename G::number apart;                                     ///< i - j of that element
    int n = 0, i = 0;
    typename G::number raw, d_raw;                                ///< s before the joint; its gradient, added to
    typename G::warp::flag seen;

    constexpr int row_offset() const { return 8 * (i / 2); }
    constexpr int column_offset() const { return 8 * n + i % 2; }
    constexpr whole query() const { return G::turned ? column + whole(column_offset()) : row + whole(row_offset()); }
    constexpr whole key() const { return G::turned ? row + whole(row_offset()) : column + whole(column_offset()); }
    /// i - j: elements that are as far apart add the same number.
    constexpr typename G::number distance() const {
        int const further = row_offset() - column_offset();
        return apart + typename G::number(static_cast<float>(G::turned ? -further : further));
    }
    constexpr void measure() {
        apart = each(row, column, [](int r, int c) { return static_cast<float>(G::turned ? c - r : r - c); });
    }
};

/// Executes E. `Kept`: a part that belongs to a row or to a column may keep its values; inside of one nothing is kept again. begin(row, x) comes
/// first for every head, prepare(x) for every tile, end(row, x) last; at(x) is the value, back(x, adjoint) passes gradients on.
template <class G, class E, bool Kept>
struct score_part;

/// What belongs to the head: computed once, by the cpu's program; adjoints are gathered lane by lane.
template <class G, class E>
struct head_part {
    using number = typename G::number;
    static constexpr bool learns = !G::turned && expr::any_part<expr::passes_gradient, E>();

    explicit constexpr head_part(E const& e) : formula_(e) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const&) { value_ = number(program().forward(row)), adjoint_ = number(0.0f); }
    constexpr void prepare(score_element<G> const&) {}
    constexpr number at(score_element<G> const&) const { return value_; }
    constexpr void back(score_element<G>& x, [[maybe_unused]] number const& adjoint) {
        if constexpr (learns) adjoint_ += select(x.seen, adjoint, number(0.0f));
    }
    constexpr void end([[maybe_unused]] row_point<float>& row, score_element<G>&) {
        if constexpr (learns) {
            auto all = program();
            all.forward(row);
            all.backward(row, sum<typename G::warp>(adjoint_));
        }
    }

private:
    constexpr auto program() const { return expr::evaluator<row_lanes<typename G::warp>, typename G::policy, E>(formula_); }
    E formula_;
    number value_, adjoint_;
};
template <class G>
struct constant_part {
    using number = typename G::number;
    float value;
    explicit constexpr constant_part(expr::constant c) : value(static_cast<float>(c.value)) {}
    constexpr void begin(row_point<float> const&, score_element<G> const&) {}
    constexpr void prepare(score_element<G> const&) {}
    constexpr number at(score_element<G> const&) const { return number(value); }
    constexpr void back(score_element<G>&, number const&) {}
    constexpr void end(row_point<float>&, score_element<G>&) {}
};

/// What belongs to a row: a lane has two of them.
template <class G, class E>
struct row_part {
    using number = typename G::number;
    static constexpr bool learns = expr::any_part<expr::passes_gradient, E>();

    explicit constexpr row_part(E const& e) : inner_(e) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const& x) {
        inner_.begin(row, x);
        unrolled<2>([&](int half) {
            value_[static_cast<std::size_t>(half)] = inner_.at(of_half(x, half));
            adjoint_[static_cast<std::size_t>(half)] = number(0.0f);
        });
    }
    constexpr void prepare(score_element<G> const&) {}
    constexpr number at(score_element<G> const& x) const { return value_[static_cast<std::size_t>(x.i / 2)]; }
    constexpr void back(score_element<G>& x, [[maybe_unused]] number const& adjoint) {
        if constexpr (learns) adjoint_[static_cast<std::size_t>(x.i / 2)] += select(x.seen, adjoint, number(0.0f));
    }
    constexpr void end(row_point<float>& row, score_element<G>& x) {
        if constexpr (learns)
            unrolled<2>([&](int half) {
                auto at_half = of_half(x, half);
                inner_.back(at_half, adjoint_[static_cast<std::size_t>(half)]);
            });
        inner_.end(row, x);
    }

private:
    /// Rows beyond the last are none, and pass nothing on.
    static constexpr score_element<G> of_half(score_element<G> x, int half) {
        x.n = 0, x.i = 2 * half;
        x.seen = each(x.row, [&](int r) { return r + 8 * half < x.p->T; });
        return x;
    }
    score_part<G, E, false> inner_;
    std::array<number, 2> value_, adjoint_;
};

/// What belongs to a column: computed once for the tile, a column a lane.
template <class G, class E>
struct column_part {
    using number = typename G::number;
    using warp = typename G::warp;
    static constexpr int each_has = G::columns / warp_size;

    explicit constexpr column_part(E const& e) : inner_(e) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const& x) { inner_.begin(row, x); }
    constexpr void prepare(score_element<G> const& x) {
        unrolled<each_has>([&](int part) {
            auto at_column = x;
            at_column.n = at_column.i = 0;
            at_column.column = x.column + warp::each_lane([&](int lane) { return warp_size * part + lane - column_of(lane, 0); });
            value_[static_cast<std::size_t>(part)] = inner_.at(at_column);
        });
    }
    constexpr number at(score_element<G> const& x) const {
        return warp::from_lanes(value_[static_cast<std::size_t>(x.n / 4)], warp::each_lane([&](int lane) { return 8 * (x.n % 4) + column_of(lane, x.i); }));
    }
    constexpr void back(score_element<G>& x, number const& adjoint) { inner_.back(x, adjoint); }
    constexpr void end(row_point<float>& row, score_element<G>& x) { inner_.end(row, x); }

private:
    score_part<G, E, false> inner_;
    std::array<number, each_has> value_;
};

template <class G, class E, bool Kept>
consteval auto which_part() {
    constexpr int to = belongs<E>();
    if constexpr (std::is_same_v<E, expr::constant>) return std::type_identity<constant_part<G>>{};
    else if constexpr (to == of_head) return std::type_identity<head_part<G, E>>{};
    else if constexpr (Kept && to == G::of_row) return std::type_identity<row_part<G, E>>{};
    else if constexpr (Kept && to == G::of_column) return std::type_identity<column_part<G, E>>{};
    else return std::type_identity<score_part<G, E, Kept>>{};
}
template <class G, class E, bool Kept>
using part_of = typename decltype(which_part<G, E, Kept>())::type;

template <class G, class Op, class A, bool Kept>
struct score_part<G, expr::unary<Op, A>, Kept> {
    using number = typename G::number;
    part_of<G, A, Kept> a;

    explicit constexpr score_part(expr::unary<Op, A> const& e) : a(e.a) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const& x) { a.begin(row, x); }
    constexpr void prepare(score_element<G> const& x) { a.prepare(x); }
    constexpr number at(score_element<G> const& x) const { return value(a.at(x)); }
    constexpr void back(score_element<G>& x, number const& adjoint) {
        number const from = a.at(x);
        a.back(x, adjoint * Op::derivative(from, value(from)));
    }
    constexpr void end(row_point<float>& row, score_element<G>& x) { a.end(row, x); }

private:
    static constexpr number value(number const& x) {
        if constexpr (std::is_same_v<Op, expr::tanh_op> && G::rounded && belongs<A>() == of_pair)
            return each(x, [](float e) { return elementary<G::warp::held>::rounded_tanh(e); });
        else
            return Op::value(x);
    }
};
template <class G, class Op, class A, class B, bool Kept>
struct score_part<G, expr::binary<Op, A, B>, Kept> {
    using number = typename G::number;
    part_of<G, A, Kept> a;
    part_of<G, B, Kept> b;

    explicit constexpr score_part(expr::binary<Op, A, B> const& e) : a(e.a), b(e.b) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const& x) { a.begin(row, x), b.begin(row, x); }
    constexpr void prepare(score_element<G> const& x) { a.prepare(x), b.prepare(x); }
    constexpr number at(score_element<G> const& x) const { return Op::value(a.at(x), b.at(x)); }
    constexpr void back(score_element<G>& x, number const& adjoint) {
        number const left = a.at(x), right = b.at(x);
        auto const [da, db] = Op::pull(adjoint, left, right, Op::value(left, right));
        a.back(x, da), b.back(x, db);
    }
    constexpr void end(row_point<float>& row, score_element<G>& x) { a.end(row, x), b.end(row, x); }
};

/// What a symbol is of a pair.
template <class G>
struct score_leaf {
    constexpr void begin(row_point<float> const&, score_element<G> const&) {}
    constexpr void prepare(score_element<G> const&) {}
    constexpr void back(score_element<G>&, typename G::number const&) {}
    constexpr void end(row_point<float>&, score_element<G>&) {}
};
template <class G, bool Kept>
struct score_part<G, expr::score_row, Kept> : score_leaf<G> {
    explicit constexpr score_part(expr::score_row) {}
    constexpr auto at(score_element<G> const& x) const { return x.raw; }
    constexpr void back(score_element<G>& x, typename G::number const& adjoint) { x.d_raw += adjoint; }
};
template <class G, bool Kept>
struct score_part<G, expr::symbol<expr::distance_tag, expr::length::keys>, Kept> : score_leaf<G> {
    explicit constexpr score_part(expr::symbol<expr::distance_tag, expr::length::keys>) {}
    constexpr auto at(score_element<G> const& x) const { return x.distance(); }
};
template <class G, bool Kept>
struct score_part<G, expr::symbol<expr::key_position_tag, expr::length::keys>, Kept> : score_leaf<G> {
    explicit constexpr score_part(expr::symbol<expr::key_position_tag, expr::length::keys>) {}
    constexpr auto at(score_element<G> const& x) const {
        return each(x.key(), [](int j) { return static_cast<float>(j); });
    }
};
template <class G, class Tag, bool Kept>
struct score_part<G, expr::symbol<Tag>, Kept> : score_leaf<G> {
    explicit constexpr score_part(expr::symbol<Tag>) {}
    constexpr auto at(score_element<G> const& x) const {
        return each(x.query(), [&](int i) {
            if constexpr (std::is_same_v<Tag, expr::position_tag>) {
                return static_cast<float>(i);
            } else {
                static_assert(std::is_same_v<Tag, expr::length_tag> || std::is_same_v<Tag, expr::visible_tag>, "this symbol does not belong in a score joint");
                auto const n = i < x.p->T ? x.p->lengths(x.p->template visible<typename G::policy>(x.b, i).count()) : expr::row_lengths{1, 1};
                return static_cast<float>(std::is_same_v<Tag, expr::length_tag> ? n.length : n.visible);
            }
        });
    }
};
template <class G, class A, bool Scan, expr::side At, bool Kept>
struct score_part<G, expr::token_number<A, Scan, At>, Kept> : score_leaf<G> {
    static constexpr bool at_query = At == expr::side::query, of_row = at_query != G::turned;
    explicit constexpr score_part(expr::token_number<A, Scan, At> const&) {}
    constexpr auto at(score_element<G> const& x) const {
        return each(token(x), [&](int t) { return x.tokens[t < x.p->T ? t : x.p->T - 1]; });
    }
    constexpr void back([[maybe_unused]] score_element<G>& x, [[maybe_unused]] typename G::number const& adjoint) {
        if constexpr (of_row) {   // called once a row
            auto const t = token(x);
            auto const total = over_row<typename G::warp>(adjoint, [](float a, float b) { return a + b; });
            G::warp::visit([&](int lane, int l) {
                if (lane % 4 == 0 && t.v[l] < x.p->T) x.d_tokens[t.v[l]] += total.v[l];
            });
        }
    }

private:
    static constexpr auto token(score_element<G> const& x) { return at_query ? x.query() : x.key(); }
};
/// Gradients are added lane after lane, since several may meet in one entry.
template <class G, class Table, class Bucket, bool Kept>
struct score_part<G, expr::looked_up<Table, Bucket>, Kept> : score_leaf<G> {
    using warp = typename G::warp;
    static constexpr std::size_t position = G::policy::position_of(Table::name);
    explicit constexpr score_part(expr::looked_up<Table, Bucket>) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const&) { table_ = row.values[position]; }
    constexpr auto at(score_element<G> const& x) const {
        return each(bucket(x), [&](int i) { return table_[i]; });
    }
    constexpr void back([[maybe_unused]] score_element<G>& x, [[maybe_unused]] typename G::number const& adjoint) {
        if constexpr (!G::turned) {
            auto const entry = bucket(x);
            auto const in = select(x.seen, adjoint, typename G::number(0.0f));
            for (int lane = 0; lane < warp_size; ++lane) {
                int const i = warp::of_lane(entry, lane);
                float const d = warp::of_lane(in, lane);
                warp::once([&] { x.d_parameters[position][i] += d; });
            }
        }
    }

private:
    static constexpr auto bucket(score_element<G> const& x) {
        return each(x.distance(), [](float d) { return static_cast<int>(expr::looked_up<Table, Bucket>::bucket(index_t{static_cast<int>(d)})); });
    }
    float const* table_;
};

}  // namespace attnlab::gpu
