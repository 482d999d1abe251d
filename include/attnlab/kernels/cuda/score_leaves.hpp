#pragma once
#include <array>
#include <type_traits>

#include <attnlab/kernels/cuda/row_lanes.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>

/// \file
/// What the symbols of a score joint are for pairs of query and key that lie in a warp's lanes, as tensor cores leave them.

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
/// queries, a token's number where rows are its side.
template <class Policy, class Warp, class Products, int Columns, bool Turned>
struct score_setting {
    using policy = Policy;
    using warp = Warp;
    using number = typename Warp::number;
    using whole = typename Warp::whole;
    static constexpr int columns = Columns;
    static constexpr bool turned = Turned;
    static constexpr int of_row = Turned ? of_key : of_query, of_column = Turned ? of_query : of_key;
    static constexpr bool rounded = Products::written_out;   ///< scores are products of bfloat16
    using gradients = std::array<float*, Policy::parameter_count + 1>;
};

/// Element i of fragment n of a tile: a pair in each lane.
template <class G>
struct score_element {
    using number = typename G::number;
    using whole = typename G::whole;

    tile_problem<typename G::policy> const* p;
    index_t b;
    float const* tokens;                ///< (T): the token numbers of the head
    typename G::gradients parameters;   ///< of what the head learns, this warp's
    float* d_tokens;                    ///< (T)
    whole row, column;                  ///< of element 0 of fragment 0
    number apart;                       ///< i - j of that element
    int n = 0, i = 0;
    number raw, d_raw;                  ///< s before the joint; its gradient, added to
    typename G::warp::flag seen;

    constexpr int row_offset() const { return 8 * (i / 2); }
    constexpr int column_offset() const { return 8 * n + i % 2; }
    constexpr whole query() const { return G::turned ? column + whole(column_offset()) : row + whole(row_offset()); }
    constexpr whole key() const { return G::turned ? row + whole(row_offset()) : column + whole(column_offset()); }
    /// i - j.
    constexpr number distance() const {
        int const further = G::turned ? column_offset() - row_offset() : row_offset() - column_offset();
        return apart + number(static_cast<float>(further));
    }
};

/// Executes E. `Kept`: a part that belongs to a row or to a column may keep its values; inside of one nothing is kept again. begin(row, x) comes
/// first for every head, enter(x) and leave(x) around every tile, end(row, x) last; at(x) is the value, back(x, adjoint, by) passes gradients on: `by` times
/// `adjoint`, the constants on the way being multiplied as the kernel is compiled.
template <class G, class E, bool Kept>
struct score_part;

template <class Number>
constexpr Number scaled(Number const& adjoint, double by) {
    return by == 1 ? adjoint : adjoint * Number(static_cast<float>(by));
}
/// What is not seen may be no number.
template <class G>
constexpr typename G::number seen_adjoint(score_element<G> const& x, typename G::number const& adjoint, double by) {
    return select(x.seen, scaled(adjoint, by), typename G::number(0.0f));
}

template <class G>
struct score_leaf {
    constexpr void begin(row_point<float> const&, score_element<G> const&) {}
    constexpr void enter(score_element<G> const&) {}
    constexpr void back(score_element<G>&, typename G::number const&, double) {}
    constexpr void leave(score_element<G>&) {}
    constexpr void end(row_point<float>&, score_element<G>&) {}
};
template <class G, bool Kept>
struct score_part<G, expr::constant, Kept> : score_leaf<G> {
    double value;
    explicit constexpr score_part(expr::constant c) : value(c.value) {}
    constexpr auto at(score_element<G> const&) const { return typename G::number(static_cast<float>(value)); }
};
template <class G, bool Kept>
struct score_part<G, expr::score_row, Kept> : score_leaf<G> {
    explicit constexpr score_part(expr::score_row) {}
    constexpr auto at(score_element<G> const& x) const { return x.raw; }
    constexpr void back(score_element<G>& x, typename G::number const& adjoint, double by) { x.d_raw += scaled(adjoint, by); }
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

/// A token's number. `back` is called once a row.
template <class G, class A, bool Scan, expr::side At, bool Kept>
struct score_part<G, expr::token_number<A, Scan, At>, Kept> : score_leaf<G> {
    static constexpr bool at_query = At == expr::side::query, of_row = at_query != G::turned;
    explicit constexpr score_part(expr::token_number<A, Scan, At> const&) {}
    constexpr auto at(score_element<G> const& x) const {
        return each(token(x), [&](int t) { return x.tokens[t < x.p->T ? t : x.p->T - 1]; });
    }
    constexpr void back([[maybe_unused]] score_element<G>& x, [[maybe_unused]] typename G::number const& adjoint, [[maybe_unused]] double by) {
        if constexpr (of_row) {
            auto const t = token(x);
            auto const total = over_row<typename G::warp>(scaled(adjoint, by), [](float a, float b) { return a + b; });
            G::warp::visit([&](int lane, int l) {
                if (lane % 4 == 0 && t.v[l] < x.p->T) x.d_tokens[t.v[l]] += total.v[l];
            });
        }
    }

private:
    static constexpr auto token(score_element<G> const& x) { return at_query ? x.query() : x.key(); }
};

}  // namespace attnlab::gpu
