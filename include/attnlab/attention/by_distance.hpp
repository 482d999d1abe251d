#pragma once
#include <algorithm>
#include <type_traits>

#include <attnlab/attention/row_program.hpp>
#include <attnlab/core/buffer.hpp>

/// \file
/// Parts of a score joint that are the same for all pairs of tokens at one distance (ALiBi, KERPLE, T5): computed once a head for
/// each distance, not once a pair, and so are their gradients.

namespace attnlab::expr {

/// Such a part, as a row of keys.
template <class E>
struct by_distance {
    using expression_tag = void;
    static constexpr length size = length::keys;
    E formula;
};

namespace detail {
/// Leaves that belong to a head or to a distance. What has parts is judged by its parts.
template <class E>
struct varies_otherwise : std::bool_constant<!requires(E e) { e.a; } && !requires { typename E::learned_tag; }> {};
template <>
struct varies_otherwise<constant> : std::false_type {};
template <class F>
struct varies_otherwise<head_function<F>> : std::false_type {};
template <class Table, class Bucket>
struct varies_otherwise<looked_up<Table, Bucket>> : std::false_type {};
template <>
struct varies_otherwise<symbol<distance_tag, length::keys>> : std::false_type {};
template <class Tag>
    requires(std::is_same_v<Tag, scale_tag> || std::is_same_v<Tag, head_size_tag> || std::is_same_v<Tag, head_tag> || std::is_same_v<Tag, heads_tag>)
struct varies_otherwise<symbol<Tag>> : std::false_type {};
// A token's number belongs to a token, whatever it is made of.
template <class A, bool Scan, side At>
struct varies_otherwise<token_number<A, Scan, At>> : std::true_type {};
}  // namespace detail

/// The formula with its largest parts of that kind marked. A bare distance is left: it is as cheap as a table.
template <class E>
constexpr auto gathered_by_distance(E const& e) {
    constexpr bool bare = std::is_same_v<E, symbol<distance_tag, length::keys>>;
    if constexpr (E::size != length::keys || bare)
        return e;
    else if constexpr (!any_part<detail::varies_otherwise, E>())
        return by_distance<E>{e};
    else if constexpr (requires { e.b; })
        return [&]<class Op, class A, class B>(binary<Op, A, B> const& x) {
            auto a = gathered_by_distance(x.a);
            auto b = gathered_by_distance(x.b);
            return binary<Op, decltype(a), decltype(b)>{a, b};
        }(e);
    else if constexpr (requires { e.a; } && !requires { E::scan; })
        return [&]<class Op, class A>(unary<Op, A> const& x) {
            auto a = gathered_by_distance(x.a);
            return unary<Op, decltype(a)>{a};
        }(e);
    else
        return e;
}

/// Values and adjoints are laid out from the farthest distance to the nearest, as keys follow one another. Gradients go on to
/// where the formula's numbers come from when the evaluator goes, or meets another head.
template <class Lanes, class Policy, class E>
struct evaluator<Lanes, Policy, by_distance<E>> {
    using S = typename Lanes::scalar;
    explicit evaluator(by_distance<E> const& e) : inner_(e.formula) {}
    evaluator(evaluator const&) = delete;
    evaluator& operator=(evaluator const&) = delete;
    ~evaluator() { pass_on(); }

    void forward(row_point<S> const& r) {
        index_t const farthest = r.position - r.first_key, nearest = farthest - r.keys + 1;
        if (r.head != row_.head || nearest < nearest_ || farthest > farthest_) lay_out(r, nearest, farthest);
        offset_ = farthest_ - farthest;
    }
    template <class V, bool = false>
    V at(row_point<S> const&, index_t i) const {
        return load<Lanes, V>(values_.data() + offset_ + i);
    }
    template <class V>
    void back(row_point<S>&, index_t i, [[maybe_unused]] V adjoint) {
        if constexpr (any_part<passes_gradient, E>()) add_to<Lanes>(adjoints_.data() + offset_ + i, adjoint);
    }
    void finish(row_point<S>&) const {}

private:
    /// Room for twice the distances met: rows come in order, and each is longer than the one before.
    void lay_out(row_point<S> const& r, index_t nearest, index_t farthest) {
        pass_on();
        nearest_ = std::min({nearest, 2 * nearest, nearest_});
        farthest_ = std::max({farthest, 2 * farthest, farthest_}) + 64;
        row_ = r;
        row_.position = farthest_, row_.first_key = 0, row_.keys = farthest_ - nearest_ + 1;
        values_.resize(static_cast<std::size_t>(row_.keys));
        inner_.forward(row_);
        each_chunk<Lanes>(row_.keys, [&]<class V>(index_t i, V) { store<Lanes, V>(values_.data() + i, inner_.template at<V>(row_, i)); });
        if constexpr (any_part<passes_gradient, E>()) adjoints_.assign(r.gradients ? values_.size() : 0, S(0));
    }
    void pass_on() {
        if (adjoints_.empty()) return;
        inner_.forward(row_);
        each_chunk<Lanes>(row_.keys, [&]<class V>(index_t i, V) { inner_.template back<V>(row_, i, load<Lanes, V>(adjoints_.data() + i)); });
        inner_.finish(row_);
        adjoints_.clear();
    }

    evaluator<Lanes, Policy, E> inner_;
    row_point<S> row_ = {.head = -1};
    index_t nearest_ = 0, farthest_ = -1, offset_ = 0;
    buffer<S> values_, adjoints_;
};

}  // namespace attnlab::expr
