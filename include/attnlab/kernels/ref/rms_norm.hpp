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

}  // namespace attnlab
