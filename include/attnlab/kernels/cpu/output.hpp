#pragma once
#include <attnlab/kernels/cpu/tokens.hpp>
#include <attnlab/kernels/cpu/weigh.hpp>

/// \file
/// Output joints on the rows of weighted values, and their gradients. Heads are inside a token, so that dx needs no atomic.

namespace attnlab::detail {

/// An output joint's view of a row (b, h, t). `projections` has room for a pointer each parameter.
template <class Policy>
void look_at_output(row_point<float>& r, attention_problem<float> const& p, attention_saved<float> const& saved, index_t b,
                    index_t h, index_t t, float const* weighted,
                    std::array<float const*, Policy::parameter_count + 1>& projections) {
    r.source = weighted;
    r.query = p.q.row(b, h, t);
    if constexpr (Policy::reads_log_normalizer)
        r.log_normalizer = log_normalizer<Policy>(saved.reference(b, h, t), saved.sum(b, h, t));
    if constexpr (Policy::has_projections)
        each_matrix<Policy>([&](auto const&, std::size_t i) { projections[i] = &saved.projections[i](b, t, h * p.D); });
    r.projections = projections.data();
}

/// Gradients of the weighted values and of log Z, from those of the result; everything an output joint reads gets its share.
template <class Policy>
void backward_output(attention_problem<float> const& p, attention_saved<float> const& saved, heads<float const> dy,
                     attention_gradients<float> const& gradients, view<float, 3> d_core, view<float, 3> d_log_normalizer) {
    std::vector<tensor<float, 3>> d_projections(Policy::parameter_count);
    if constexpr (Policy::has_projections)
        each_matrix<Policy>([&](auto const&, std::size_t i) {
            d_projections[i] = tensor<float, 3>({p.B, p.T, p.H * p.D}, 0.0f);
        });
    each_row_back<Policy>(p, p.H, gradients, [&] {
        return [&, output = program_of<simd_lanes, Policy>(Policy::output),
                projections = std::array<float const*, Policy::parameter_count + 1>{},
                d_projected = std::array<float*, Policy::parameter_count + 1>{}](row_point<float>& r, index_t b, index_t h,
                                                                                 index_t t) mutable {
            r.d_source = &d_core(b, t, h * p.D);
            r.d_query = gradients.q.row(b, h, t);
            std::fill_n(r.d_source, p.D, 0.0f);
            std::fill_n(r.d_query, p.D, 0.0f);
            look_at_output<Policy>(r, p, saved, b, h, t, saved.core.rows(p.D).row(b, h, t), projections);
            if constexpr (Policy::has_projections)
                each_matrix<Policy>([&](auto const&, std::size_t i) { d_projected[i] = &d_projections[i](b, t, h * p.D); });
            r.d_projections = d_projected.data();
            output.backward(r, dy.row(b, h, t));
            d_log_normalizer(b, h, t) = r.d_log_normalizer;
        };
    });
    if constexpr (Policy::has_projections) backward_projections<Policy>(p, d_projections, gradients);
}

}  // namespace attnlab::detail
