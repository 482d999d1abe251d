#pragma once
#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/per_token.hpp>
#include <attnlab/attention/rotate.hpp>
#include <attnlab/attention/row_point.hpp>
#include <attnlab/core/buffer.hpp>

/// \file
/// What the symbols of a formula are on a row: numbers, rows in memory, positions, parameters, tables, rotated rows.

namespace attnlab::expr {

/// Executes E on rows. Numbers offer forward(row) -> value and backward(row, adjoint); rows offer forward(row) to prepare the
/// numbers inside, at(row, i), back(row, i, adjoint), and finish(row) to pass gathered adjoints on.
template <class Lanes, class Policy, class E>
struct evaluator;

/// A number of the row.
template <class Lanes, class Policy, class Tag>
struct evaluator<Lanes, Policy, symbol<Tag, length::scalar>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(symbol<Tag, length::scalar>) {}
    constexpr S forward(row_point<S> const& r) const {
        if constexpr (std::is_same_v<Tag, scale_tag>)
            return r.scale;
        else if constexpr (std::is_same_v<Tag, length_tag>)
            return r.length;
        else if constexpr (std::is_same_v<Tag, visible_tag>)
            return r.visible;
        else if constexpr (std::is_same_v<Tag, head_size_tag>)
            return static_cast<S>(r.head_size);
        else if constexpr (std::is_same_v<Tag, head_tag>)
            return static_cast<S>(r.head);
        else if constexpr (std::is_same_v<Tag, heads_tag>)
            return static_cast<S>(r.heads);
        else if constexpr (std::is_same_v<Tag, position_tag>)
            return static_cast<S>(r.position);
        else {
            static_assert(std::is_same_v<Tag, log_normalizer_tag>, "this symbol does not belong in this joint");
            return r.log_normalizer;
        }
    }
    constexpr void backward(row_point<S>& r, S adjoint) const {
        if constexpr (std::is_same_v<Tag, log_normalizer_tag>) r.d_log_normalizer += adjoint;
    }
};
template <class Lanes, class Policy, class F>
struct evaluator<Lanes, Policy, head_function<F>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(head_function<F>) {}
    constexpr S forward(row_point<S> const& r) const { return static_cast<S>(F{}(static_cast<double>(r.head), static_cast<double>(r.heads))); }
    constexpr void backward(row_point<S>&, S) const {}
};

/// j or i - j along a row of keys.
template <class Lanes, class Policy, class Tag>
    requires(std::is_same_v<Tag, key_position_tag> || std::is_same_v<Tag, distance_tag>)
struct evaluator<Lanes, Policy, symbol<Tag, length::keys>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(symbol<Tag, length::keys>) {}
    constexpr void forward(row_point<S> const&) const {}
    template <class V, bool = false>
    constexpr V at(row_point<S> const& r, index_t i) const {
        V lane(S(0));
        if constexpr (!std::is_same_v<V, S>) lane = Lanes::counting();
        if constexpr (std::is_same_v<Tag, distance_tag>)
            return V(static_cast<S>(r.position - r.first_key - i)) - lane;
        else
            return V(static_cast<S>(r.first_key + i)) + lane;
    }
    template <class V>
    constexpr void back(row_point<S>&, index_t, V) const {}
    constexpr void finish(row_point<S>&) const {}
};

/// A row in memory, and its gradient.
template <class Lanes, class Derived>
struct memory_row {
    using S = typename Lanes::scalar;
    constexpr void forward(row_point<S> const&) const {}
    template <class V, bool = false>
    constexpr V at(row_point<S> const& r, index_t i) const {
        return load<Lanes, V>(Derived::value(r) + i);
    }
    template <class V>
    constexpr void back(row_point<S>& r, index_t i, V adjoint) const {
        add_to<Lanes>(Derived::gradient(r) + i, adjoint);
    }
    constexpr void finish(row_point<S>&) const {}
};
template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, symbol<source_tag, length::head>>
    : memory_row<Lanes, evaluator<Lanes, Policy, symbol<source_tag, length::head>>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(symbol<source_tag, length::head>) {}
    static constexpr S const* value(row_point<S> const& r) { return r.source; }
    static constexpr S* gradient(row_point<S>& r) { return r.d_source; }
};
template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, symbol<query_tag, length::head>>
    : memory_row<Lanes, evaluator<Lanes, Policy, symbol<query_tag, length::head>>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(symbol<query_tag, length::head>) {}
    static constexpr S const* value(row_point<S> const& r) { return r.query; }
    static constexpr S* gradient(row_point<S>& r) { return r.d_query; }
};
template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, symbol<input_tag, length::model>>
    : memory_row<Lanes, evaluator<Lanes, Policy, symbol<input_tag, length::model>>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(symbol<input_tag, length::model>) {}
    static constexpr S const* value(row_point<S> const& r) { return r.input; }
    static constexpr S* gradient(row_point<S>& r) { return r.d_input; }
};
template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, symbol<head_input_tag, length::head>>
    : memory_row<Lanes, evaluator<Lanes, Policy, symbol<head_input_tag, length::head>>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(symbol<head_input_tag, length::head>) {}
    static constexpr S const* value(row_point<S> const& r) { return r.input + r.head * r.head_size; }
    static constexpr S* gradient(row_point<S>& r) { return r.d_input + r.head * r.head_size; }
};
template <class Lanes, class Policy, class Matrix>
struct evaluator<Lanes, Policy, projected<Matrix>> : memory_row<Lanes, evaluator<Lanes, Policy, projected<Matrix>>> {
    using S = typename Lanes::scalar;
    static constexpr std::size_t position = Policy::position_of(Matrix::name);
    explicit constexpr evaluator(projected<Matrix>) {}
    static constexpr S const* value(row_point<S> const& r) { return r.projections[position]; }
    static constexpr S* gradient(row_point<S>& r) { return r.d_projections[position]; }
};

/// The scores of a row of keys: raw products in memory, times 1 / sqrt(D).
template <class Lanes, class Policy>
struct evaluator<Lanes, Policy, score_row> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(score_row) {}
    constexpr void forward(row_point<S> const&) const {}
    template <class V, bool = false>
    constexpr V at(row_point<S> const& r, index_t i) const {
        return load<Lanes, V>(r.source + i) * V(r.scale);
    }
    template <class V>
    constexpr void back(row_point<S>& r, index_t i, V adjoint) const {
        add_to<Lanes>(r.d_source + i, adjoint * V(r.scale));
    }
    constexpr void finish(row_point<S>&) const {}
};

/// A token's number, at the query or at each key.
template <class Lanes, class Policy, class A, bool Scan>
struct evaluator<Lanes, Policy, token_number<A, Scan, side::query>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(token_number<A, Scan, side::query> const&) {}
    constexpr S forward(row_point<S> const& r) const { return r.tokens[r.position]; }
    constexpr void backward(row_point<S>& r, S adjoint) const { add_number<Lanes>(r.d_query_tokens + r.position, adjoint); }
};
template <class Lanes, class Policy, class A, bool Scan>
struct evaluator<Lanes, Policy, token_number<A, Scan, side::key>>
    : memory_row<Lanes, evaluator<Lanes, Policy, token_number<A, Scan, side::key>>> {
    using S = typename Lanes::scalar;
    explicit constexpr evaluator(token_number<A, Scan, side::key> const&) {}
    static constexpr S const* value(row_point<S> const& r) { return r.tokens + r.first_key; }
    static constexpr S* gradient(row_point<S>& r) { return r.d_key_tokens + r.first_key; }
};

/// An entry of a table for each key, one by one (kernels do it once a distance: attention/by_distance.hpp).
template <class Lanes, class Policy, class Table, class Bucket>
struct evaluator<Lanes, Policy, looked_up<Table, Bucket>> {
    using S = typename Lanes::scalar;
    static constexpr std::size_t position = Policy::position_of(Table::name);
    explicit constexpr evaluator(looked_up<Table, Bucket>) {}
    constexpr void forward(row_point<S> const&) const {}
    template <class V, bool = false>
    constexpr V at(row_point<S> const& r, index_t i) const {
        return each_entry<V>(r, i, [&](index_t bucket, S& x) { x = r.values[position][bucket]; });
    }
    template <class V>
    constexpr void back(row_point<S>& r, index_t i, V adjoint) const {
        each_entry<V>(r, i, [&](index_t bucket, S const& x) { r.gradients[position][bucket] += x; }, adjoint);
    }
    constexpr void finish(row_point<S>&) const {}

private:
    /// `body(bucket, lane)` for the keys from i on.
    template <class V, class Body>
    static constexpr V each_entry(row_point<S> const& r, index_t i, Body body, V x = V(S(0))) {
        constexpr index_t n = std::is_same_v<V, S> ? 1 : Lanes::width;
        S lane[n];
        store<Lanes, V>(lane, x);
        for (index_t l = 0; l < n; ++l) body(looked_up<Table, Bucket>::bucket(r.position - r.first_key - i - l), lane[l]);
        return load<Lanes, V>(lane);
    }
};

/// A row turned by its position: made in memory, since a pair lies in two chunks.
template <class Lanes, class Policy, class A, class Rotation>
struct evaluator<Lanes, Policy, rotated<A, Rotation>> {
    using S = typename Lanes::scalar;
    evaluator<Lanes, Policy, A> a;
    explicit constexpr evaluator(rotated<A, Rotation> const& e) : a(e.a) {}
    constexpr void forward(row_point<S> const& r) {
        a.forward(r);
        if (!table_ || table_->positions() <= r.position) table_ = rotation_table<S, Rotation>::of(r.head_size, r.position);
        y_.resize(static_cast<std::size_t>(r.head_size));
        adjoint_.assign(y_.size(), S(0));
        each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) { store<Lanes, V>(y_.data() + i, a.template at<V>(r, i)); });
        table_->template turn<false>(r.position, y_.data());
    }
    template <class V, bool = false>
    constexpr V at(row_point<S> const&, index_t i) const {
        return load<Lanes, V>(y_.data() + i);
    }
    template <class V>
    constexpr void back(row_point<S>&, index_t i, V adjoint) {
        add_to<Lanes>(adjoint_.data() + i, adjoint);
    }
    constexpr void finish(row_point<S>& r) {
        table_->template turn<true>(r.position, adjoint_.data());
        each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) { a.template back<V>(r, i, load<Lanes, V>(adjoint_.data() + i)); });
        a.finish(r);
    }

private:
    std::shared_ptr<rotation_table<S, Rotation> const> table_;
    buffer<S> y_, adjoint_;
};

/// A parameter: a row, or a number, of this head.
template <class Lanes, class Policy, class E>
    requires(requires { typename E::learned_tag; } && E::size != length::scalar)
struct evaluator<Lanes, Policy, E> : memory_row<Lanes, evaluator<Lanes, Policy, E>> {
    using S = typename Lanes::scalar;
    static constexpr std::size_t position = Policy::position_of(E::name);
    explicit constexpr evaluator(E const&) {}
    static constexpr S const* value(row_point<S> const& r) { return r.values[position]; }
    static constexpr S* gradient(row_point<S>& r) { return r.gradients[position]; }
};
template <class Lanes, class Policy, class E>
    requires(requires { typename E::learned_tag; } && E::size == length::scalar)
struct evaluator<Lanes, Policy, E> {
    using S = typename Lanes::scalar;
    static constexpr std::size_t position = Policy::position_of(E::name);
    explicit constexpr evaluator(E const&) {}
    constexpr S forward(row_point<S> const& r) const { return *r.values[position]; }
    constexpr void backward(row_point<S>& r, S adjoint) const { add_number<Lanes>(r.gradients[position], adjoint); }
};

}  // namespace attnlab::expr
