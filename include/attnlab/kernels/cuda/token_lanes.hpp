#pragma once
#include <type_traits>

#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/cuda/row_lanes.hpp>

/// \file
/// The lanes of rows that are walked token by token (token_rows.hpp): what is read of a row lies in memory, of floats or rounded.

namespace attnlab {

namespace gpu {

/// A row of stored_heads, as it is stored.
template <class S>
struct stored_row {
    S* whole = nullptr;
    typename stored_heads<S>::rounded_type* rounded = nullptr;

    constexpr stored_row() = default;
    constexpr stored_row(stored_heads<S> const& all, index_t b, index_t h, index_t t)
        : whole(all.is_rounded() ? nullptr : all.whole.row(b, h, t)), rounded(all.is_rounded() ? all.rounded.row(b, h, t) : nullptr) {}
    constexpr operator stored_row<S const>() const
        requires(!std::is_const_v<S>)
    {
        stored_row<S const> x;
        x.whole = whole, x.rounded = rounded;
        return x;
    }

    /// Its numbers i, ...
    template <class Lanes, class V>
    constexpr V at(index_t i) const {
        return rounded ? of<Lanes, V>(rounded + i) : of<Lanes, V>(whole + i);
    }
    /// They become x.
    template <class Lanes, class V>
    constexpr void write(Lanes lanes, index_t i, V x) const {
        rounded ? put(lanes, rounded + i, x) : put(lanes, whole + i, x);
    }

private:
    template <class Lanes, class V, class T>
    static constexpr V of(T const* x) {
        if constexpr (std::is_same_v<V, float>) return static_cast<float>(*x);
        else return Lanes::load(x);
    }
    template <class Lanes, class T, class V>
    static constexpr void put(Lanes, T* y, V x) {
        if constexpr (std::is_same_v<V, float>) Lanes::once([&] { *y = static_cast<T>(x); });
        else Lanes::write(y, x);
    }
};
/// A row of which a joint reads such rows.
struct token_row : row_point<float> {
    stored_row<float const> given, asked;   ///< what the joint changes; the query

    template <class Tag>
    constexpr stored_row<float const> const& of() const {
        if constexpr (std::is_same_v<Tag, expr::source_tag>) return given;
        else return asked;
    }
};

template <class Group, int N>
struct token_lanes : row_lanes<Group, N> {};

}  // namespace gpu

namespace expr {

template <class Lanes, class Tag>
struct token_leaf {
    constexpr void forward(row_point<float> const&) const {}
    template <class V, bool = false>
    constexpr V at(row_point<float> const& r, index_t i) const {
        return static_cast<gpu::token_row const&>(r).template of<Tag>().template at<Lanes, V>(i);
    }
    template <class V>
    constexpr void back(row_point<float>& r, index_t i, V adjoint) const {
        add_to<Lanes>((std::is_same_v<Tag, source_tag> ? r.d_source : r.d_query) + i, adjoint);
    }
    constexpr void finish(row_point<float>&) const {}
};
template <class Group, int N, class Policy>
struct evaluator<gpu::token_lanes<Group, N>, Policy, symbol<source_tag, length::head>> : token_leaf<gpu::token_lanes<Group, N>, source_tag> {
    explicit constexpr evaluator(symbol<source_tag, length::head>) {}
};
template <class Group, int N, class Policy>
struct evaluator<gpu::token_lanes<Group, N>, Policy, symbol<query_tag, length::head>> : token_leaf<gpu::token_lanes<Group, N>, query_tag> {
    explicit constexpr evaluator(symbol<query_tag, length::head>) {}
};

}  // namespace expr
}  // namespace attnlab
