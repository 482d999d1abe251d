#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <vector>

#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/row_point.hpp>
#include <attnlab/attention/weighting.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/core/precision.hpp>

/// \file
/// What an attention kernel is given and what it leaves for the way back. The same for every device.

namespace attnlab {

/// What a batch tells every attention layer of a model.
struct attention_context {
    length_rule rule = length_rule::sequence;
    index_t trained_length = 0;          ///< T of length_rule::trained
    index_t const* documents = nullptr;  ///< (B, T): where the document of each token begins; without, all is one document
    precision products = precision::float32;   ///< of q k and w v, where a device has a choice

    /// What query i of sequence b sees, of T.
    template <class Mask>
    constexpr visible_keys<Mask> visible_of(index_t b, index_t i, index_t T) const {
        return {i, T, documents ? documents[b * T + i] : 0};
    }
};

/// One call: sizes, inputs, parameters. `S` is double in the reference, else float. `Pointers`: an array where a kernel takes it along.
template <class S, class Pointers = std::vector<S const*>>
struct attention_problem : attention_context {
    index_t B = 0, H = 0, T = 0, D = 0;
    index_t H_kv = 0;                    ///< heads of k and v: a divisor of H (grouped queries, 2305.13245); 0: H
    index_t width = 0;                   ///< C of `input`
    S scale = 1;                         ///< 1 / sqrt(D)
    stored_heads<S const> q, k, v;       ///< k and v of H_kv heads
    S const* input = nullptr;            ///< x (B, T, C), for policies whose joints read x
    bfloat16 const* rounded_input = nullptr;   ///< x as a GPU's products read it, where it is there rounded; then `input` is there for policy::rows_read_input alone
    Pointers parameters;                 ///< in the policy's order, each for all heads

    constexpr index_t kv_heads() const { return H_kv ? H_kv : H; }
    /// How many heads read one of k and v.
    constexpr index_t heads_of_kv() const { return H_kv ? H / H_kv : 1; }
    /// The head of k and v that head h reads.
    constexpr index_t kv_head(index_t h) const { return h / heads_of_kv(); }
    constexpr head_sizes sizes() const { return {H, D, width}; }
    /// By what kernels multiply q before the scores: a score joint scales by itself.
    template <class Policy>
    constexpr S score_scale() const {
        return Policy::has_score ? S(1) : scale;
    }

    /// What query i of sequence b sees.
    template <class Policy>
    constexpr visible_keys<typename Policy::mask> visible(index_t b, index_t i) const {
        return this->template visible_of<typename Policy::mask>(b, i, T);
    }
    /// The two lengths that formulas may read, for a row that sees `visible` keys.
    constexpr expr::row_lengths lengths(index_t visible) const {
        index_t const n = rule == length_rule::sequence ? T : rule == length_rule::trained ? trained_length : visible;
        return {static_cast<double>(n), static_cast<double>(visible)};
    }
    /// What every row of head h at position t knows.
    template <class Policy>
    constexpr row_point<S> row(index_t b, index_t h, index_t t, S const* const* values) const {
        row_point<S> r;
        r.scale = scale;
        r.input = input ? input + (b * T + t) * width : nullptr;
        r.values = values;
        r.head_size = D, r.width = width, r.head = h, r.heads = H;
        move<Policy>(r, b, t);
        return r;
    }
    /// The same row at position t: what depends on it alone.
    template <class Policy>
    constexpr void move(row_point<S>& r, [[maybe_unused]] index_t b, index_t t) const {
        r.position = t;
        if constexpr (Policy::rows_read_lengths) {
            auto const n = lengths(visible<Policy>(b, t).count());
            r.length = static_cast<S>(n.length), r.visible = static_cast<S>(n.visible);
        }
    }
};

namespace detail {
/// Pointers to the parameters of head h; null where `all` has none.
template <class Policy, class Pointers>
constexpr auto of_head(Pointers const& all, head_sizes n, index_t h) {
    std::array<typename Pointers::value_type, Policy::parameter_count + 1> out{};
    std::size_t i = 0;
    constexpr auto parameters = Policy::parameters;   // a copy: device code has no address of a static member
    std::apply([&](auto const&... e) { ((out[i] = all[i] ? all[i] + offset_of(e, n, h) : nullptr, ++i), ...); }, parameters);
    return out;
}
/// `body(matrix, i)` for each learned matrix, which is parameter i.
template <class Policy, class Body>
void each_matrix(Body body) {
    std::size_t i = 0;
    std::apply(
        [&]<class... P>(P const&... e) {
            [[maybe_unused]] auto const visit = [&]<class M>(M const& m) {
                if constexpr (requires { typename M::matrix_tag; }) body(m, i);
                ++i;
            };
            (visit(e), ...);
        },
        Policy::parameters);
}
/// log Z from m and Z e^-m; a summand without exp(s) does not ride with m.
template <class Policy, class S>
constexpr S log_normalizer(S m, S z) {
    return std::log(z) + (expr::degree_of<std::remove_const_t<decltype(Policy::summand)>> == 1 ? m : S(0));
}
}  // namespace detail

/// What forward keeps: O(T) numbers a head, the weighted values where an output joint changes them, and what prologues made.
template <class S>
struct attention_saved {
    heads_memory<S> core;            ///< (B, T, H D): sum_j w_ij v_j, rounded as the result is; empty without an output joint, where it is the result itself
    tensor<S, 3> by_sum;             ///< (B, T, H D): sum_j dw_ij/dZ_i v_j, where a weight does not separate; else empty
    tensor<S, 3> reference, sum;     ///< (B, H, T): m_i, and Z_i e^-m_i or the threshold t_i - m_i
    heads_memory<S> q, k, v;         ///< (B, T, H D), (B, T, H_kv D): what a prologue made of q, k, v, rounded as these are; else empty
    tensor<S, 3> tokens;             ///< (B, H, T): the token numbers of a score joint
    std::vector<tensor<S, 3>> projections;   ///< per parameter (B, T, H D): products of a head_matrix with x
    tensor<S, 2> angles;             ///< of a GPU's rotations (T, rotations D): cosines, then sines, of each position; else empty
    void const* angles_of = nullptr;   ///< which rotations, by an address that is theirs alone
    tensor<std::byte, 1> packed;     ///< q, k, v as the tensor cores of a GPU read them (kernels/cuda/pack.hpp); else empty

    /// Makes room. `Policy` says for what.
    template <class Policy>
    void resize(attention_problem<S> const& p, bool rounds_core = false) {
        if constexpr (Policy::has_output) core.resize({p.B, p.T, p.H * p.D}, rounds_core);
        if constexpr (!Policy::one_pass) by_sum.resize({p.B, p.T, p.H * p.D});
        if constexpr (Policy::has_query) q.resize({p.B, p.T, p.H * p.D}, p.q.is_rounded());
        if constexpr (Policy::has_key) k.resize({p.B, p.T, p.kv_heads() * p.D}, p.k.is_rounded());
        if constexpr (Policy::has_value) v.resize({p.B, p.T, p.kv_heads() * p.D}, p.v.is_rounded());
        if constexpr (Policy::has_tokens) tokens.resize({p.B, p.H, p.T});
        reference.resize({p.B, p.H, p.T});
        sum.resize({p.B, p.H, p.T});
    }
    /// The weighted values: `core`, or the result `y` where the policy has no output joint.
    template <class Policy>
    heads<S const> weighted_values(attention_problem<S> const& p, heads<S const> y) const {
        if constexpr (Policy::has_output)
            return core.rows(p.D);
        else
            return y;
    }
    /// The problem as the scores see it: q, k, v after the prologue.
    template <class Policy>
    attention_problem<S> after_prologue(attention_problem<S> p) const {
        if constexpr (Policy::has_query) p.q = q.rows(p.D);
        if constexpr (Policy::has_key) p.k = k.rows(p.D);
        if constexpr (Policy::has_value) p.v = v.rows(p.D);
        return p;
    }
};

/// Where gradients go: q, k, v are assigned, and so is input by policies that read it; parameters are added to.
template <class S>
struct attention_gradients {
    stored_heads<S> q, k, v;
    S* input = nullptr;
    bfloat16* rounded_input = nullptr;   ///< in its place where x is there rounded and no row reads it itself
    std::vector<S*> parameters;
};

}  // namespace attnlab
