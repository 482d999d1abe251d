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

/// Every row of `count` heads, heads inside a token. `start()` makes what visits the rows of one part: `visit(row, b, h, t)`.
template <class Policy, class Start>
void each_row_forward(attention_problem<float> const& p, index_t count, Start start) {
    each_part_of(p, [&](index_t first, index_t last, index_t) {
        auto visit = start();
        for (index_t bt = first; bt < last; ++bt)
            for (index_t h = 0; h < count; ++h) {
                auto const values = of_head<Policy>(p.parameters, p.sizes(), h);
                auto r = p.template row<Policy>(bt / p.T, h, bt % p.T, values.data());
                r.heads = count;
                visit(r, bt / p.T, h, bt % p.T);
            }
    });
}
/// The same on the way back: the row knows where gradients of x and of the parameters go.
template <class Policy, class Start>
void each_row_back(attention_problem<float> const& p, index_t count, attention_gradients<float> const& gradients, Start start) {
    gradient_copies<Policy> copies(p.sizes(), parts_of(p));
    each_part_of(p, [&](index_t first, index_t last, index_t i) {
        auto visit = start();
        auto const own = copies.copy(i);
        for (index_t bt = first; bt < last; ++bt)
            for (index_t h = 0; h < count; ++h) {
                auto const values = of_head<Policy>(p.parameters, p.sizes(), h);
                auto const grads = of_head<Policy>(own, p.sizes(), h);
                auto r = p.template row<Policy>(bt / p.T, h, bt % p.T, values.data());
                r.heads = count;
                r.d_input = gradients.input ? gradients.input + bt * p.width : nullptr;
                r.gradients = grads.data();
                visit(r, bt / p.T, h, bt % p.T);
            }
    });
    copies.add_to(gradients.parameters);
}

/// Rows of `from` through a prologue's formula.
template <class Policy, class Formula>
void run_prologue(attention_problem<float> const& p, Formula const& formula, heads<float const> from, index_t count,
                  heads<float> to) {
    each_row_forward<Policy>(p, count, [&] {
        return
            [&, program = program_of<simd_lanes, Policy>(formula)](row_point<float>& r, index_t b, index_t h, index_t t) mutable {
                r.source = from.row(b, h, t);
                program.forward(r, to.row(b, h, t));
            };
    });
}
/// Gradients by what the prologue made (in `d`) become gradients by what it was given.
template <class Policy, class Formula>
void pull_prologue(attention_problem<float> const& p, Formula const& formula, heads<float const> from, index_t count,
                   heads<float> d, attention_gradients<float> const& gradients) {
    each_row_back<Policy>(p, count, gradients, [&] {
        return [&, program = program_of<simd_lanes, Policy>(formula), dy = buffer<float>(static_cast<std::size_t>(p.D))](
                   row_point<float>& r, index_t b, index_t h, index_t t) mutable {
            float* const row = d.row(b, h, t);
            std::copy_n(row, p.D, dy.data());
            std::fill_n(row, p.D, 0.0f);
            r.source = from.row(b, h, t);
            r.d_source = row;
            program.backward(r, dy.data());
        };
    });
}

/// q, k, v as the scores see them, into `saved`.
template <class Policy>
void forward_prologue(attention_problem<float> const& p, attention_saved<float>& saved) {
    if constexpr (Policy::has_query) run_prologue<Policy>(p, Policy::query, p.q, p.H, saved.q.rows(p.D));
    if constexpr (Policy::has_key) run_prologue<Policy>(p, Policy::key, p.k, p.kv_heads(), saved.k.rows(p.D));
    if constexpr (Policy::has_value) run_prologue<Policy>(p, Policy::value, p.v, p.kv_heads(), saved.v.rows(p.D));
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

/// Each row of (B, H, T) summed along the sequence, or from its end.
inline void sum_along(view<float, 3> x, bool from_end) {
    index_t const T = x.shape(2);
    for (float* row = x.begin(); row < x.end(); row += T) {
        double sum = 0;
        for (index_t i = 0; i < T; ++i) {
            float& number = row[from_end ? T - 1 - i : i];
            number = static_cast<float>(sum += static_cast<double>(number));
        }
    }
}
/// The numbers of all tokens, summed along the sequence where the score asks for it.
template <class Policy>
void forward_tokens(attention_problem<float> const& p, view<float, 3> tokens) {
    each_row_forward<Policy>(p, p.H, [&] {
        return [&, number = token_evaluator<Policy>(Policy::tokens.a)](
                   row_point<float>& r, index_t b, index_t h, index_t t) mutable { tokens(b, h, t) = number.forward(r); };
    });
    if (Policy::tokens.scan) sum_along(tokens, false);
}
/// What the gradients by the numbers mean for x and the parameters; d_tokens is used up.
template <class Policy>
void backward_tokens(attention_problem<float> const& p, view<float, 3> d_tokens, attention_gradients<float> const& gradients) {
    if (Policy::tokens.scan) sum_along(d_tokens, true);
    each_row_back<Policy>(p, p.H, gradients, [&] {
        return [&, number = token_evaluator<Policy>(Policy::tokens.a)](row_point<float>& r, index_t b, index_t h,
                                                                       index_t t) mutable {
            number.forward(r);
            number.backward(r, d_tokens(b, h, t));
        };
    });
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
