#pragma once
#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/kernels/cpu/lanes.hpp>
#include <attnlab/kernels/cpu/linear.hpp>

/// \file
/// What a policy does token by token, before and after the tiles: prologues, numbers of a token, output joints, and their
/// gradients. Tokens are cut into parts by their number alone, each part with parameter gradients of its own, added in order: no
/// atomics, and the same bits on any number of threads.

namespace attnlab::detail {

/// Pointers to the parameters of head h.
template <class Policy, class S>
std::array<S*, Policy::parameter_count + 1> of_head(std::vector<S*> const& all, head_sizes n, index_t h) {
    std::array<S*, Policy::parameter_count + 1> out{};
    std::size_t i = 0;
    std::apply([&](auto const&... e) { ((out[i] = all[i] ? all[i] + offset_of(e, n, h) : nullptr, ++i), ...); },
               Policy::parameters);
    return out;
}

/// How many numbers each parameter's gradient has; 0 for matrices, whose gradients are products of their own.
template <class Policy>
std::vector<index_t> gradient_sizes(head_sizes n) {
    std::vector<index_t> out;
    std::apply(
        [&]<class... P>(P const&... e) { (out.push_back(requires { typename P::matrix_tag; } ? 0 : total_of(e, n)), ...); },
        Policy::parameters);
    return out;
}

/// Parameter gradients in several copies, side by side.
template <class Policy>
class gradient_copies {
public:
    gradient_copies(head_sizes n, index_t copies) : sizes_(gradient_sizes<Policy>(n)), copies_(copies) {
        for (index_t s : sizes_) total_ += s;
        all_.assign(static_cast<std::size_t>(total_ * copies), 0.0f);
    }
    /// The i-th copy, by parameter.
    std::vector<float*> copy(index_t i) {
        std::vector<float*> out;
        float* p = all_.data() + i * total_;
        for (index_t s : sizes_) out.push_back(p), p += s;
        return out;
    }
    /// Adds all copies, the first one first.
    void add_to(std::vector<float*> const& gradients) {
        for (index_t i = 0; i < copies_; ++i) {
            auto const from = copy(i);
            for (std::size_t k = 0; k < sizes_.size(); ++k)
                for (index_t c = 0; c < sizes_[k]; ++c) gradients[k][c] += from[k][c];
        }
    }

private:
    std::vector<index_t> sizes_;
    index_t copies_, total_ = 0;
    buffer<float> all_;
};

/// The parts that B T tokens are cut into.
template <class S>
index_t parts_of(attention_problem<S> const& p) {
    return std::clamp<index_t>(p.B * p.T * p.H * p.D / 16384, 1, 16);
}
/// `part(first, last, i)`: tokens [first, last) of B T, as part i.
template <class S, class Part>
void each_part_of(attention_problem<S> const& p, Part part) {
    index_t const parts = parts_of(p), tokens = p.B * p.T;
#pragma omp parallel for schedule(dynamic) if (parts > 1)
    for (index_t i = 0; i < parts; ++i) part(tokens * i / parts, tokens * (i + 1) / parts, i);
}

/// Rows of `from` through a prologue's formula.
template <class Policy, class Formula>
void run_prologue(attention_problem<float> const& p, Formula const& formula, heads<float const> from, index_t count,
                  heads<float> to) {
    each_part_of(p, [&](index_t first, index_t last, index_t) {
        auto program = program_of<simd_lanes, Policy>(formula);
        for (index_t bt = first; bt < last; ++bt)
            for (index_t h = 0; h < count; ++h) {
                auto const values = of_head<Policy>(p.parameters, p.sizes(), h);
                auto r = p.template row<Policy>(bt / p.T, h, bt % p.T, values.data());
                r.heads = count;
                r.source = from.row(bt / p.T, h, bt % p.T);
                program.forward(r, to.row(bt / p.T, h, bt % p.T));
            }
    });
}
/// Gradients by what the prologue made (in `d`) become gradients by what it was given.
template <class Policy, class Formula>
void pull_prologue(attention_problem<float> const& p, Formula const& formula, heads<float const> from, index_t count,
                   heads<float> d, attention_gradients<float> const& gradients) {
    gradient_copies<Policy> copies(p.sizes(), parts_of(p));
    each_part_of(p, [&](index_t first, index_t last, index_t i) {
        auto program = program_of<simd_lanes, Policy>(formula);
        auto const own = copies.copy(i);
        buffer<float> dy(static_cast<std::size_t>(p.D));
        for (index_t bt = first; bt < last; ++bt)
            for (index_t h = 0; h < count; ++h) {
                auto const values = of_head<Policy>(p.parameters, p.sizes(), h);
                auto const grads = of_head<Policy>(own, p.sizes(), h);
                float* const row = d.row(bt / p.T, h, bt % p.T);
                std::copy_n(row, p.D, dy.data());
                std::fill_n(row, p.D, 0.0f);
                auto r = p.template row<Policy>(bt / p.T, h, bt % p.T, values.data());
                r.heads = count;
                r.source = from.row(bt / p.T, h, bt % p.T);
                r.d_source = row;
                r.d_input = gradients.input ? gradients.input + bt * p.width : nullptr;
                r.gradients = grads.data();
                program.backward(r, dy.data());
            }
    });
    copies.add_to(gradients.parameters);
}

/// q, k, v as the scores see them, into `saved`.
template <class Policy>
void forward_prologue(attention_problem<float> const& p, attention_saved<float>& saved) {
    if constexpr (Policy::has_query) run_prologue<Policy>(p, Policy::query, p.q, p.H, merged_heads(*saved.q, p.D));
    if constexpr (Policy::has_key) run_prologue<Policy>(p, Policy::key, p.k, p.kv_heads(), merged_heads(*saved.k, p.D));
    if constexpr (Policy::has_value) run_prologue<Policy>(p, Policy::value, p.v, p.kv_heads(), merged_heads(*saved.v, p.D));
}
template <class Policy>
void backward_prologue(attention_problem<float> const& p, attention_gradients<float> const& g) {
    if constexpr (Policy::has_query) pull_prologue<Policy>(p, Policy::query, p.q, p.H, g.q, g);
    if constexpr (Policy::has_key) pull_prologue<Policy>(p, Policy::key, p.k, p.kv_heads(), g.k, g);
    if constexpr (Policy::has_value) pull_prologue<Policy>(p, Policy::value, p.v, p.kv_heads(), g.v, g);
}

/// The formula of a token's number, executed.
template <class Policy>
using token_evaluator = expr::evaluator<simd_lanes, Policy, std::remove_cvref_t<decltype(Policy::tokens.a)>>;

/// The numbers of all tokens, summed along the sequence where the score asks for it.
template <class Policy>
void forward_tokens(attention_problem<float> const& p, view<float, 3> tokens) {
    each_part_of(p, [&](index_t first, index_t last, index_t) {
        token_evaluator<Policy> number(Policy::tokens.a);
        for (index_t bt = first; bt < last; ++bt)
            for (index_t h = 0; h < p.H; ++h) {
                auto const values = of_head<Policy>(p.parameters, p.sizes(), h);
                tokens(bt / p.T, h, bt % p.T) = number.forward(p.template row<Policy>(bt / p.T, h, bt % p.T, values.data()));
            }
    });
    if constexpr (Policy::tokens.scan)
        for (index_t bh = 0; bh < p.B * p.H; ++bh) {
            double sum = 0;
            for (index_t t = 0; t < p.T; ++t) {
                float& x = tokens.data()[bh * p.T + t];
                x = static_cast<float>(sum += static_cast<double>(x));
            }
        }
}
/// What the gradients by the numbers mean for x and the parameters; d_tokens is used up.
template <class Policy>
void backward_tokens(attention_problem<float> const& p, view<float, 3> d_tokens, attention_gradients<float> const& gradients) {
    if constexpr (Policy::tokens.scan)
        for (index_t bh = 0; bh < p.B * p.H; ++bh) {
            double sum = 0;
            for (index_t t = p.T; t-- > 0;) {
                float& x = d_tokens.data()[bh * p.T + t];
                x = static_cast<float>(sum += static_cast<double>(x));
            }
        }
    gradient_copies<Policy> copies(p.sizes(), parts_of(p));
    each_part_of(p, [&](index_t first, index_t last, index_t i) {
        token_evaluator<Policy> number(Policy::tokens.a);
        auto const own = copies.copy(i);
        for (index_t bt = first; bt < last; ++bt)
            for (index_t h = 0; h < p.H; ++h) {
                auto const values = of_head<Policy>(p.parameters, p.sizes(), h);
                auto const grads = of_head<Policy>(own, p.sizes(), h);
                auto r = p.template row<Policy>(bt / p.T, h, bt % p.T, values.data());
                r.d_input = gradients.input ? gradients.input + bt * p.width : nullptr;
                r.gradients = grads.data();
                number.forward(r);
                number.backward(r, d_tokens(bt / p.T, h, bt % p.T));
            }
    });
    copies.add_to(gradients.parameters);
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
/// Products of learned matrices with x, one GEMM each.
template <class Policy>
void forward_projections(attention_problem<float> const& p, attention_saved<float>& saved) {
    saved.projections.resize(Policy::parameter_count);
    index_t const n = p.B * p.T, out = p.H * p.D;
    each_matrix<Policy>([&](auto const&, std::size_t i) {
        saved.projections[i].resize({p.B, p.T, out});
        linear_forward(cpu{}, {p.input, {n, p.width}}, {p.parameters[i], {out, p.width}}, nullptr,
                       view<float, 2>(saved.projections[i].data(), {n, out}));
    });
}
template <class Policy>
void backward_projections(attention_problem<float> const& p, std::vector<tensor<float, 3>>& d,
                          attention_gradients<float> const& gradients) {
    index_t const n = p.B * p.T, out = p.H * p.D, in = p.width;
    each_matrix<Policy>([&](auto const&, std::size_t i) {
        gemm(cpu{}, true, false, out, in, n, 1, d[i].data(), out, p.input, in, 1, gradients.parameters[i], in);
        if (gradients.input)
            gemm(cpu{}, false, false, n, in, out, 1, d[i].data(), out, p.parameters[i], in, 1, gradients.input, in);
    });
}

}  // namespace attnlab::detail
