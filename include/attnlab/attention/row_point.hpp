#pragma once
#include <type_traits>
#include <utility>

#include <attnlab/core/view.hpp>

/// \file
/// Where a formula is executed: one row of one head, and in what lanes.

namespace attnlab {

/// Lanes of one number. A SIMD register offers the same members.
template <class S>
struct one_lane {
    using scalar = S;
    using pack = S;
    static constexpr index_t width = 1;
    static constexpr S load(S const* p) { return *p; }
    static constexpr void store(S* p, S x) { *p = x; }
    static constexpr S sum(S x) { return x; }
    static constexpr S counting() { return S(0); }
    static constexpr S from(index_t first, S x) { return first > 0 ? S(0) : x; }
};

/// The row at hand: what its symbols stand for and where their gradients go. Gradients are added to.
template <class S>
struct row_point {
    S const* source = nullptr;          ///< what the joint changes: o; q, k or v; raw scores from `first_key` on
    S const* query = nullptr;
    S const* input = nullptr;           ///< x (C)
    S log_normalizer = 0, scale = 1, length = 0, visible = 0;
    S* d_source = nullptr;
    S* d_query = nullptr;
    S* d_input = nullptr;
    S d_log_normalizer = 0;
    S const* const* values = nullptr;   ///< per parameter: what belongs to this head
    S* const* gradients = nullptr;
    S const* const* projections = nullptr;   ///< per parameter: of a head_matrix, W_h x of this row (D)
    S* const* d_projections = nullptr;
    S const* tokens = nullptr;          ///< (T): the token numbers of this head
    S* d_query_tokens = nullptr;        ///< (T): their gradients, of those read at the query and of those read at keys
    S* d_key_tokens = nullptr;
    S* scratch = nullptr;               ///< (2 D) for each rotation: room of a row that a GPU turns
    S const* angles = nullptr;          ///< (rotations, D): cosines and sines of its position
    index_t head_size = 0, width = 0;   ///< D, C
    index_t head = 0, heads = 1;        ///< h, H
    index_t position = 0;               ///< t, or i of a row of scores
    index_t first_key = 0, keys = 0;    ///< of a row of scores: j of its first element, how many
};

namespace expr {

/// Reads and writes a chunk: a full pack, or one number at the row's tail.
template <class Lanes, class V>
constexpr V load(typename Lanes::scalar const* p) {
    if constexpr (std::is_same_v<V, typename Lanes::scalar>)
        return *p;
    else
        return Lanes::load(p);
}
template <class Lanes, class V>
constexpr void store(typename Lanes::scalar* p, V x) {
    if constexpr (!std::is_same_v<V, typename Lanes::scalar>)
        Lanes::store(p, x);
    else if constexpr (requires { Lanes::are_threads; })
        Lanes::once([&] { *p = x; });
    else
        *p = x;
}
/// Adds to a number that belongs to the whole row: where lanes are threads, by one of them.
template <class Lanes>
constexpr void add_number(typename Lanes::scalar* p, typename Lanes::scalar x) {
    if constexpr (requires { Lanes::are_threads; })
        Lanes::once([&] { *p += x; });
    else
        *p += x;
}

template <class Lanes, class V>
constexpr void add_to(typename Lanes::scalar* p, V x) {
    if constexpr (std::is_same_v<V, typename Lanes::scalar>)
        add_number<Lanes>(p, x);
    else
        store<Lanes, V>(p, load<Lanes, V>(p) + x);
}

/// Calls `body(i, V{})` over 0 .. n in packs, then in single numbers.
template <class Lanes, class Body>
constexpr void each_chunk([[maybe_unused]] index_t n, Body body) {
    if constexpr (requires { Lanes::row_size; }) {   // the n of all rows, written out: in registers there are no addresses
        [&]<index_t... I>(std::integer_sequence<index_t, I...>) { (body(I * Lanes::width, typename Lanes::pack{}), ...); }(std::make_integer_sequence<index_t, Lanes::row_size / Lanes::width>{});
    } else {
        index_t const in_packs = n - n % Lanes::width;
        if constexpr (Lanes::width > 1)
            for (index_t i = 0; i < in_packs; i += Lanes::width) body(i, typename Lanes::pack{});
        for (index_t i = Lanes::width > 1 ? in_packs : 0; i < n; ++i) body(i, typename Lanes::scalar{});
    }
}

/// A sum over a row, kept in lanes until it is read.
template <class Lanes>
class row_sum {
    using S = typename Lanes::scalar;
    using V = typename Lanes::pack;

public:
    constexpr void add(V x) { lanes_ = lanes_ + x; }
    constexpr void add(S x)
        requires(!std::is_same_v<S, V>)
    {
        rest_ += x;
    }
    constexpr S total() const { return Lanes::sum(lanes_) + rest_; }

private:
    V lanes_ = V(S(0));
    S rest_ = 0;
};

}  // namespace expr
}  // namespace attnlab
