#pragma once
#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/core/xt.hpp>

namespace attnlab {

/// The reference multiplies doubles.
inline bool has_bfloat16(ref) { return false; }

/// y = x w^T + bias: x (N,I), w (O,I), bias (O) or null, y (N,O).
inline void linear_forward(ref, view<double const, 2> x, view<double const, 2> w, double const* bias, view<double, 2> y) {
    auto Y = as_xt(y);
    xt::noalias(Y) = xt::linalg::dot(as_xt(x), xt::transpose(as_xt(w)));
    if (bias) xt::noalias(Y) += as_xt(view<double const, 1>(bias, {y.shape(1)}));
}

/// dx (N,I) = dy w, unless null; dw (O,I) += dy^T x; dbias (O) += the sum of dy's rows, unless null.
inline void linear_backward(ref, view<double const, 2> dy, view<double const, 2> x, view<double const, 2> w, double* dx,
                            view<double, 2> dw, double* dbias) {
    auto const DY = as_xt(dy);
    if (dx) {
        auto DX = as_xt(view<double, 2>(dx, x.shape()));
        xt::noalias(DX) = xt::linalg::dot(DY, as_xt(w));
    }
    auto DW = as_xt(dw);
    xt::noalias(DW) += xt::linalg::dot(xt::transpose(DY), as_xt(x));
    if (dbias) {
        auto DB = as_xt(view<double, 1>(dbias, {dy.shape(1)}));
        xt::noalias(DB) += xt::sum(DY, {0});
    }
}

/// The same, but dx += dy w.
inline void linear_backward_onto(ref, view<double const, 2> dy, view<double const, 2> x, view<double const, 2> w, double* dx, view<double, 2> dw, double* dbias) {
    linear_backward(ref{}, dy, x, w, nullptr, dw, dbias);
    auto DX = as_xt(view<double, 2>(dx, x.shape()));
    xt::noalias(DX) += xt::linalg::dot(as_xt(dy), as_xt(w));
}

}  // namespace attnlab
