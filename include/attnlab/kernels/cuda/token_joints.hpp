#pragma once
#include <array>
#include <cstdint>

#include <attnlab/kernels/cuda/adjoint_rows.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>
#include <attnlab/kernels/cuda/token_rows.hpp>
#include <attnlab/kernels/cuda/weigh.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>
#include <attnlab/kernels/weighting_facts.hpp>

/// \file
/// Prologues, token numbers and output joints: what each does with a row, on the way forward and back (see kernels/cuda/token_rows.hpp).

namespace attnlab::gpu {

/// A formula of `Policy` on a row: y = what it makes of the row.
template <class Policy, class Lanes, class Formula>
constexpr void make_row(Lanes lanes, token_row<Lanes> const& r, Formula const& formula, stored_row<float> const& y) {
    expr::as_row<Lanes, Policy, Formula> root(formula);
    root.forward(r);
    if constexpr (writes_chunks_out<Lanes>) {   // made whole before it is written: what is read would wait for that
        typename Lanes::pack made[chunks_of<Lanes>];
        unrolled<chunks_of<Lanes>>([&](int k) { made[k] = root.template at<typename Lanes::pack>(r, k * Lanes::width); });
        unrolled<chunks_of<Lanes>>([&](int k) { y.write(lanes, k * Lanes::width, made[k]); });
    } else {
        expr::each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) { y.write(lanes, i, root.template at<V>(r, i)); });
    }
}
/// From dy, its gradients.
template <class Policy, class Lanes, class Formula>
constexpr void pull_row(Lanes, token_row<Lanes>& r, Formula const& formula, stored_row<float const> const& dy) {
    expr::as_row<Lanes, Policy, Formula> root(formula);
    root.forward(r);
    expr::each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) { root.template back<V>(r, i, dy.template at<Lanes, V>(i)); });
    root.finish(r);
}

enum class prologue { query, key, value };
/// What is that prologue's, of what belongs to q, k and v.
template <prologue Which, class T>
constexpr T& which(T& query, T& key, T& value) {
    if constexpr (Which == prologue::query) return query;
    else if constexpr (Which == prologue::key) return key;
    else return value;
}
template <prologue Which>
index_t heads_of(attention_problem<float> const& p) {
    return Which == prologue::query ? p.H : p.kv_heads();
}
template <class Policy, prologue Which>
constexpr auto prologue_formula() {
    if constexpr (Which == prologue::query) return Policy::query;
    else if constexpr (Which == prologue::key) return Policy::key;
    else return Policy::value;
}

template <class Policy, prologue Which>
struct prologue_forward {
    using formula_type = decltype(prologue_formula<Policy, Which>());
    static constexpr index_t gradient_rows = 0;
    stored_heads<float const> from;
    stored_heads<float> to;
    std::array<row_layout, 2> rows() const { return {from, to}; }
    template <class Lanes>
    constexpr void operator()(Lanes lanes, token_row<Lanes>& r, float*, index_t b, index_t h, index_t t) const {
        constexpr auto formula = prologue_formula<Policy, Which>();
        r.given = {lanes, from, b, h, t};
        make_row<Policy>(lanes, r, formula, {lanes, to, b, h, t});
    }
};
template <class Policy, prologue Which>
struct prologue_backward {
    using formula_type = decltype(prologue_formula<Policy, Which>());
    static constexpr index_t gradient_rows = 1;
    stored_heads<float const> from;
    stored_heads<float> d;   ///< by what the prologue made, becomes by what it was given
    std::array<row_layout, 2> rows() const { return {from, d}; }
    template <class Lanes>
    constexpr void operator()(Lanes lanes, token_row<Lanes>& r, float* scratch, index_t b, index_t h, index_t t) const {
        constexpr auto formula = prologue_formula<Policy, Which>();
        stored_row<float> const row{lanes, d, b, h, t};
        r.given = {lanes, from, b, h, t}, r.d_given.begin(scratch, r.head_size);
        pull_row<Policy>(lanes, r, formula, row);
        r.d_given.give(lanes, row, r.head_size);
    }
};

template <class Policy>
struct numbers_forward {
    using formula_type = std::remove_const_t<decltype(Policy::tokens.a)>;
    static constexpr index_t gradient_rows = 0;
    float* tokens;   ///< (B, H, T)
    index_t H, T;
    std::array<row_layout, 0> rows() const { return {}; }
    template <class Lanes>
    constexpr void operator()(Lanes, token_row<Lanes>& r, float*, index_t b, index_t h, index_t t) const {
        constexpr auto formula = Policy::tokens.a;
        float const x = expr::evaluator<Lanes, Policy, std::remove_const_t<decltype(formula)>>(formula).forward(r);
        Lanes::once([&] { tokens[(b * H + h) * T + t] = x; });
    }
};
template <class Policy>
struct numbers_backward {
    using formula_type = std::remove_const_t<decltype(Policy::tokens.a)>;
    static constexpr index_t gradient_rows = 0;
    float const* d_tokens;   ///< (B, H, T)
    index_t H, T;
    std::array<row_layout, 0> rows() const { return {}; }
    template <class Lanes>
    constexpr void operator()(Lanes, token_row<Lanes>& r, float*, index_t b, index_t h, index_t t) const {
        constexpr auto formula = Policy::tokens.a;
        expr::evaluator<Lanes, Policy, std::remove_const_t<decltype(formula)>> number(formula);
        number.forward(r);
        number.backward(r, d_tokens[(b * H + h) * T + t]);
    }
};
/// An output joint's view of a row.
template <class Policy>
struct output_rows {
    stored_heads<float const> weighted, query;
    float const *reference, *sum;   ///< (B, H, T)
    index_t H, T;

    template <class Lanes>
    constexpr void look(Lanes lanes, token_row<Lanes>& r, index_t b, index_t h, index_t t) const {
        r.given = {lanes, weighted, b, h, t};
        if constexpr (Policy::output_reads_query) r.asked = {lanes, query, b, h, t};
        if constexpr (Policy::reads_log_normalizer) {
            index_t const i = (b * H + h) * T + t;
            r.log_normalizer = attnlab::detail::log_normalizer<Policy>(reference[i], sum[i]);
        }
    }
};
template <class Policy>
struct output_forward {
    using formula_type = std::remove_const_t<decltype(Policy::output)>;
    static constexpr index_t gradient_rows = 0;
    output_rows<Policy> of;
    stored_heads<float> y;
    std::array<row_layout, 3> rows() const { return {of.weighted, of.query, y}; }
    template <class Lanes>
    constexpr void operator()(Lanes lanes, token_row<Lanes>& r, float*, index_t b, index_t h, index_t t) const {
        constexpr auto formula = Policy::output;
        of.look(lanes, r, b, h, t);
        make_row<Policy>(lanes, r, formula, {lanes, y, b, h, t});
    }
};
template <class Policy>
struct output_backward {
    using formula_type = std::remove_const_t<decltype(Policy::output)>;
    static constexpr index_t gradient_rows = 1 + Policy::output_reads_query;
    output_rows<Policy> of;
    stored_heads<float const> dy;
    stored_heads<float> d_weighted, d_query;   ///< assigned; the second where the formula reads the query
    float* d_log_normalizer;            ///< (B, H, T), where a weight takes two passes
    row_record* records;                ///< (B, H, padded T), where it takes one
    attention_context context;
    std::array<row_layout, 5> rows() const { return {of.weighted, of.query, dy, d_weighted, d_query}; }
    template <class Lanes>
    constexpr void operator()(Lanes lanes, token_row<Lanes>& r, float* scratch, index_t b, index_t h, index_t t) const {
        constexpr auto formula = Policy::output;
        of.look(lanes, r, b, h, t);
        r.d_given.begin(scratch, r.head_size);
        if constexpr (Policy::output_reads_query) r.d_asked.begin(scratch + r.head_size, r.head_size);
        pull_row<Policy>(lanes, r, formula, stored_row<float const>{lanes, dy, b, h, t});
        r.d_given.give(lanes, {lanes, d_weighted, b, h, t}, r.head_size);
        if constexpr (Policy::output_reads_query) r.d_asked.give(lanes, {lanes, d_query, b, h, t}, r.head_size);
        if constexpr (Policy::one_pass) record(lanes, r, b, h, t);
        else if constexpr (Policy::reads_log_normalizer) Lanes::once([&] { d_log_normalizer[(b * of.H + h) * of.T + t] = r.d_log_normalizer; });
    }

private:
    template <class Lanes>
    constexpr void record(Lanes, token_row<Lanes> const& r, index_t b, index_t h, index_t t) const {
        index_t const i = (b * of.H + h) * of.T + t;
        float dot = 0;
        if constexpr (Policy::has_sum) {   // of what the tiles read: where a row's weight is one key's alone, what it passes on must cancel that key's share
            expr::row_sum<Lanes> products;
            expr::each_chunk<Lanes>(r.head_size, [&]<class V>(index_t c, V) { products.add(r.given.template at<Lanes, V>(c) * as_stored(r.d_given.template at<V>(c))); });
            dot = products.total();
        }
        row_record const found = record_of<Policy>(of.reference[i], of.sum[i], dot, r.d_log_normalizer, context.visible_of<typename Policy::mask>(b, t, of.T).none());
        Lanes::once([&] {
            row_record* const of_head = records + (b * of.H + h) * padded_length(of.T);
            of_head[t] = found;
            if (t == of.T - 1)
                for (index_t beyond = of.T; beyond < padded_length(of.T); ++beyond) of_head[beyond] = no_row;
        });
    }
    /// Numbers of d_weighted, as they can be read there.
    template <class V>
    constexpr V as_stored(V x) const {
        if (!d_weighted.is_rounded()) return x;
        auto const rounded = [](float e) { return static_cast<float>(bfloat16(e)); };
        if constexpr (std::is_same_v<V, float>) return rounded(x);
        else return each(x, rounded);
    }
};

/// A slot's share of each row, (B, H, T).
template <class Policy>
struct slot_rows {
    using formula_type = decltype(Policy::slot());
    static constexpr index_t gradient_rows = 0;
    output_rows<Policy> of;
    float* share;
    std::array<row_layout, 2> rows() const { return {of.weighted, of.query}; }
    template <class Lanes>
    constexpr void operator()(Lanes lanes, token_row<Lanes>& r, float*, index_t b, index_t h, index_t t) const {
        of.look(lanes, r, b, h, t);
        float const x = slot_share<Lanes, Policy>(r);
        Lanes::once([&] { share[(b * of.H + h) * of.T + t] = x; });
    }
};

}  // namespace attnlab::gpu
