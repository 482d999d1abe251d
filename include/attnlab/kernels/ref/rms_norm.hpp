#pragma once
#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/core/xt.hpp>

namespace attnlab {

/// RMSNorm (1910.07467): y = x / sqrt(mean(x^2) + eps) (weight + offset) along each row. x, y (N,C); weight (C) or null, then 1. y may be x.
inline void rms_norm_forward(ref, view<double const, 2> x, double const* weight, double offset, double eps, view<double, 2> y) {
    auto const X = as_xt(x);
    xt::xtensor<double, 2> const rms = xt::sqrt(xt::mean(xt::square(X), {1}, xt::keep_dims) + eps);
    auto Y = as_xt(y);
    xt::noalias(Y) = X / rms;
    if (weight) xt::noalias(Y) *= as_xt(view<double const, 1>(weight, {x.shape(1)})) + offset;
}

/// With r = 1 / sqrt(mean(x^2) + eps), h = x r and g = dy (weight + offset): dx += r (g - h mean of (g h)), the residual stream's gradient;
/// dweight += the sum of dy h over rows.
inline void rms_norm_backward(ref, view<double const, 2> dy, view<double const, 2> x, double const* weight, double offset, double eps,
                              view<double, 2> dx, double* dweight) {
    auto const X = as_xt(x), DY = as_xt(dy);
    xt::xtensor<double, 2> const R = 1 / xt::sqrt(xt::mean(xt::square(X), {1}, xt::keep_dims) + eps), H = X * R;
    xt::xtensor<double, 2> const G = DY * (as_xt(view<double const, 1>(weight, {x.shape(1)})) + offset);
    xt::xtensor<double, 2> const mean_gh = xt::mean(G * H, {1}, xt::keep_dims);
    auto DX = as_xt(dx);
    auto DW = as_xt(view<double, 1>(dweight, {x.shape(1)}));
    xt::noalias(DX) += R * (G - H * mean_gh);
    xt::noalias(DW) += xt::sum(DY * H, {0});
}

}  // namespace attnlab
