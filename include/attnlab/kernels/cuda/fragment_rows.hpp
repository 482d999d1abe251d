#pragma once
#include <tuple>
#include <type_traits>

#include <attnlab/kernels/cuda/token_joints.hpp>

/// \file
/// An output joint on what forward's tiles have just made: rows in the fragments of products, of which four lanes have one, two adjacent channels of each eight. Token by
/// token (token_rows.hpp) the weighted values are read again and the result is a kernel of its own: of 1024 tokens a third of forward.

namespace attnlab::gpu {

/// The lanes of a row in `Fragments`: they walk rows in memory as row_lanes<Group, 2> does.
template <class Group, class Fragments>
struct fragment_lanes : row_lanes<Group, 2> {
    static constexpr index_t row_size = 8 * static_cast<index_t>(std::tuple_size_v<Fragments>);   ///< channels
};
/// A row that has the weighted values in registers, and the query where it lies.
template <class Group, class Fragments>
struct fragment_row : row_point<float> {
    Fragments const* fragments;
    int half, first_lane;   ///< of each fragment: rows g or g + 8; the first of a row's lanes, as an object has them
    stored_row<float const> query_row = {};

    constexpr auto at(std::type_identity<expr::source_tag>, index_t channel) const {
        typename row_lanes<Group, 2>::pack x;
        auto const& fragment = (*fragments)[static_cast<std::size_t>(channel / 8)];
        for (int i = 0; i < Group::held; ++i)
            for (int k = 0; k < 2; ++k) x.v[2 * i + k] = fragment[static_cast<std::size_t>(2 * half + k)].v[first_lane + i];
        return x;
    }
    constexpr auto at(std::type_identity<expr::query_tag>, index_t channel) const {
        using lanes = row_lanes<Group, 2>;
        return query_row.template at<lanes, typename lanes::pack>(channel);
    }
};

/// What a block of forward takes along to make the result `y` of the weighted values itself.
template <class Policy>
struct joined_output {
    stored_heads<float const> query;
    stored_heads<float> y;
    input_products<Policy> products;
    bool on = false;

    /// For heads of D channels: rows are whole in registers, on sixteen bytes, and nothing turns them.
    static joined_output of(attention_problem<float> const& p, attention_saved<float> const& saved, stored_heads<float> const& y, int D) {
        joined_output out{p.q, y, products_of<Policy>(p, saved)};
        if constexpr (can) out.on = p.D == D && on_sixteen_bytes<Policy>(p, std::array<row_layout, 2>{Policy::output_reads_query ? row_layout(out.query) : row_layout(y), y});
        return out;
    }
    static constexpr bool can = [] {
        // Rows of x in memory are longer than those in registers: their products are there (input_products.hpp), or token by token.
        if constexpr (Policy::has_output && !Policy::adds_to_input) return expr::count_rotations<std::remove_const_t<decltype(Policy::output)>>() == 0;
        else return false;
    }();

    /// The result of token t, of whose row m and Z are: by four lanes. What is beyond T computes as the last one, and writes nothing.
    template <class Group, class Problem, class Fragments>
    constexpr void make(Problem const& p, Fragments const& fragments, int half, int first_lane, index_t b, index_t h, index_t t, [[maybe_unused]] float m, [[maybe_unused]] float z) const {
        using lanes = fragment_lanes<Group, Fragments>;
        constexpr auto formula = Policy::output;
        bool const there = t < p.T;
        if (!there) t = p.T - 1;
        auto const values = attnlab::detail::of_head<Policy>(p.parameters, p.sizes(), h);
        fragment_row<Group, Fragments> r{p.template row<Policy>(b, h, t, values.data()), &fragments, half, first_lane};
        r.head_size = lanes::row_size;
        if constexpr (Policy::output_reads_query) r.query_row = {lanes{}, query, b, h, t};
        if constexpr (Policy::reads_log_normalizer) r.log_normalizer = attnlab::detail::log_normalizer<Policy>(m, z);
        typename input_products<Policy>::of_row own;
        products.look(r, own, b * p.T + t, h);
        expr::as_row<lanes, Policy, std::remove_const_t<decltype(formula)>> root(formula);
        root.forward(r);
        constexpr int chunks = lanes::row_size / lanes::width;
        typename lanes::pack made[chunks];   // whole before it is written: what is read would wait for that
        unrolled<chunks>([&](int n) { made[n] = root.template at<typename lanes::pack>(r, n * lanes::width); });
        if (!there) return;
        y.visit([&]<class T>(heads<T> const& rows) {
            T* const row = rows.row(b, h, t);
            unrolled<chunks>([&](int n) { lanes::write(row + n * lanes::width, made[n]); });
        });
    }
};

}  // namespace attnlab::gpu

namespace attnlab::expr {

/// The weighted values, or the query, of such a row.
template <class Row, class Tag>
struct fragment_leaf {
    constexpr void forward(row_point<float> const&) const {}
    template <class V, bool = false>
    constexpr V at(row_point<float> const& r, index_t i) const {
        return static_cast<Row const&>(r).at(std::type_identity<Tag>{}, i);
    }
};
template <class Group, class Fragments, class Policy>
struct evaluator<gpu::fragment_lanes<Group, Fragments>, Policy, symbol<source_tag, length::head>> : fragment_leaf<gpu::fragment_row<Group, Fragments>, source_tag> {
    explicit constexpr evaluator(symbol<source_tag, length::head>) {}
};
template <class Group, class Fragments, class Policy>
struct evaluator<gpu::fragment_lanes<Group, Fragments>, Policy, symbol<query_tag, length::head>> : fragment_leaf<gpu::fragment_row<Group, Fragments>, query_tag> {
    explicit constexpr evaluator(symbol<query_tag, length::head>) {}
};

}  // namespace attnlab::expr
