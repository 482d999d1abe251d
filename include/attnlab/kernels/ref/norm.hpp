#pragma once
#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/core/xt.hpp>

/// \file
/// LayerNorm (Ba, Kiros, Hinton 2016): y = (x - mean) rstd weight + bias along each row, rstd = 1 / sqrt(variance + eps).

namespace attnlab {

/// x, y (N,C); weight (C); bias (C) or null; mean and rstd (N) are kept for the backward pass. y may be x.
inline void layer_norm_forward(ref, view<double const, 2> x, double const* weight, double const* bias, double eps,
                               view<double, 2> y, double* mean, double* rstd) {
    index_t const n = x.shape(0), c = x.shape(1);
    auto const X = as_xt(x);
    auto Y = as_xt(y), M = as_xt(view<double, 2>(mean, {n, 1})), R = as_xt(view<double, 2>(rstd, {n, 1}));
    xt::noalias(M) = xt::mean(X, {1}, xt::keep_dims);
    xt::noalias(R) = 1 / xt::sqrt(xt::mean(xt::square(X - M), {1}, xt::keep_dims) + eps);
    xt::noalias(Y) = (X - M) * R * as_xt(view<double const, 1>(weight, {c}));
    if (bias) xt::noalias(Y) += as_xt(view<double const, 1>(bias, {c}));
}

/// With h = (x - mean) rstd and g = dy weight: dx += rstd (g - mean of g - h mean of (g h)), the residual stream's gradient;
/// dweight += the sum of dy h over rows; dbias += the sum of dy, unless null.
inline void layer_norm_backward(ref, view<double const, 2> dy, view<double const, 2> x, double const* weight, double const* mean,
                                double const* rstd, view<double, 2> dx, double* dweight, double* dbias) {
    index_t const n = x.shape(0), c = x.shape(1);
    auto const DY = as_xt(dy), M = as_xt(view<double const, 2>(mean, {n, 1})), R = as_xt(view<double const, 2>(rstd, {n, 1}));
    auto DX = as_xt(dx);
    auto DW = as_xt(view<double, 1>(dweight, {c}));
    xt::xtensor<double, 2> const H = (as_xt(x) - M) * R;
    xt::xtensor<double, 2> const G = DY * as_xt(view<double const, 1>(weight, {c}));
    xt::xtensor<double, 2> const mean_g = xt::mean(G, {1}, xt::keep_dims), mean_gh = xt::mean(G * H, {1}, xt::keep_dims);
    xt::noalias(DX) += R * (G - mean_g - H * mean_gh);
    xt::noalias(DW) += xt::sum(DY * H, {0});
    if (dbias) {
        auto DB = as_xt(view<double, 1>(dbias, {c}));
        xt::noalias(DB) += xt::sum(DY, {0});
    }
}

}  // namespace attnlab
