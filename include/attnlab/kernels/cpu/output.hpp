#pragma once
#include <attnlab/kernels/cpu/tokens.hpp>
#include <attnlab/kernels/cpu/weigh.hpp>

/// \file
/// Output joints on the rows of weighted values, and their gradients. Heads are inside a token, so that dx needs no atomic.

namespace attnlab::detail {

/// An output joint's view of row (b, h, t). `projections` has room for a pointer each parameter.
template <class Policy>
row_point<float> output_row(attention_problem<float> const& p, attention_saved<float> const& saved, index_t b, index_t h,
                            index_t t, float const* weighted, float const* const* parameters,
                            std::array<float const*, Policy::parameter_count + 1>& projections) {
    auto r = p.template row<Policy>(b, h, t, parameters);
    r.source = weighted;
    r.query = p.q.row(b, h, t);
    if constexpr (Policy::reads_log_normalizer)
        r.log_normalizer = weigher<Policy>::log_normalizer(saved.reference(b, h, t), saved.sum(b, h, t));
    if constexpr (Policy::has_projections)
        each_matrix<Policy>(
            [&](auto const&, std::size_t i) { projections[i] = saved.projections[i].data() + ((b * p.T + t) * p.H + h) * p.D; });
    r.projections = projections.data();
    return r;
}

/// Gradients of the weighted values and of log Z, from those of the result; everything an output joint reads gets its share.
template <class Policy>
void backward_output(attention_problem<float> const& p, attention_saved<float> const& saved, heads<float const> dy,
                     attention_gradients<float> const& gradients, view<float, 3> d_core, view<float, 3> d_log_normalizer) {
    gradient_copies<Policy> copies(p.sizes(), parts_of(p));
    std::vector<tensor<float, 3>> d_projections(Policy::parameter_count);
    if constexpr (Policy::has_projections)
        each_matrix<Policy>([&](auto const&, std::size_t i) {
            d_projections[i] = tensor<float, 3>({p.B, p.T, p.H * p.D}, 0.0f);
        });
    each_part_of(p, [&](index_t first, index_t last, index_t i) {
        auto output = program_of<simd_lanes, Policy>(Policy::output);
        auto const own = copies.copy(i);
        std::array<float const*, Policy::parameter_count + 1> projections{};
        std::array<float*, Policy::parameter_count + 1> d_projected{};
        for (index_t bt = first; bt < last; ++bt) {
            index_t const b = bt / p.T, t = bt % p.T;
            for (index_t h = 0; h < p.H; ++h) {
                auto const values = of_head<Policy>(p.parameters, p.sizes(), h);
                auto const grads = of_head<Policy>(own, p.sizes(), h);
                float* const d_o = &d_core(b, t, h * p.D);
                std::fill_n(d_o, p.D, 0.0f);
                std::fill_n(gradients.q.row(b, h, t), p.D, 0.0f);
                auto r = output_row<Policy>(p, saved, b, h, t, &saved.core(b, t, h * p.D), values.data(), projections);
                r.d_source = d_o;
                r.d_query = gradients.q.row(b, h, t);
                r.d_input = gradients.input ? gradients.input + bt * p.width : nullptr;
                r.gradients = grads.data();
                if constexpr (Policy::has_projections)
                    each_matrix<Policy>(
                        [&](auto const&, std::size_t k) { d_projected[k] = d_projections[k].data() + (bt * p.H + h) * p.D; });
                r.d_projections = d_projected.data();
                output.backward(r, dy.row(b, h, t));
                d_log_normalizer(b, h, t) = r.d_log_normalizer;
            }
        }
    });
    copies.add_to(gradients.parameters);
    if constexpr (Policy::has_projections) backward_projections<Policy>(p, d_projections, gradients);
}

}  // namespace attnlab::detail
