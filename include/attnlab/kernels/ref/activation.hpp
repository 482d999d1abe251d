#pragma once
#include <numbers>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/core/xt.hpp>
#include <attnlab/kernels/gelu_form.hpp>

namespace attnlab {

/// y = gelu(x), element by element: x Phi(x) = x erfc(-x / sqrt 2) / 2, or x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.
/// y may be x.
inline void gelu_forward(ref, gelu_form form, view<double const, 1> x, view<double, 1> y) {
    auto const X = as_xt(x);
    auto Y = as_xt(y);
    if (form == gelu_form::exact)
        xt::noalias(Y) = 0.5 * X * xt::erfc(-X / std::numbers::sqrt2);
    else
        xt::noalias(Y) = 0.5 * X * (1 + xt::tanh(std::numbers::sqrt2 * std::numbers::inv_sqrtpi * (X + 0.044715 * X * X * X)));
}

/// dx = dy gelu'(x). dx may be dy.
inline void gelu_backward(ref, gelu_form form, view<double const, 1> dy, view<double const, 1> x, view<double, 1> dx) {
    auto const X = as_xt(x), DY = as_xt(dy);
    auto DX = as_xt(dx);
    if (form == gelu_form::exact) {
        auto const density = std::numbers::inv_sqrtpi / std::numbers::sqrt2 * xt::exp(-0.5 * X * X);
        xt::noalias(DX) = DY * (0.5 * xt::erfc(-X / std::numbers::sqrt2) + X * density);
    } else {
        auto const k = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
        xt::xtensor<double, 1> const t = xt::tanh(k * (X + 0.044715 * X * X * X));
        xt::noalias(DX) = DY * 0.5 * (1 + t + X * (1 - t * t) * k * (1 + 3 * 0.044715 * X * X));
    }
}

/// y += x.
inline void add(ref, view<double const, 1> x, view<double, 1> y) {
    auto Y = as_xt(y);
    xt::noalias(Y) += as_xt(x);
}

}  // namespace attnlab
