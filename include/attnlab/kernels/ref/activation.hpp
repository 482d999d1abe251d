#pragma once
#include <cmath>
#include <numbers>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/core/xt.hpp>
#include <attnlab/kernels/array_rules.hpp>
#include <attnlab/kernels/gelu_form.hpp>

namespace attnlab {

namespace detail {
template <class Rule>
void each_element(Rule rule, view<double const, 1> x, view<double, 1> y, double* slope) {
    for (index_t i = 0; i < x.size(); ++i) {
        double value = 0, of_value = 0;
        rule(x.data()[i], value, of_value);
        y.data()[i] = value;
        if (slope) slope[i] = of_value;
    }
}
}  // namespace detail

/// y = gelu(x), element by element: x Phi(x) = x erfc(-x / sqrt 2) / 2, or x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2;
/// slope = gelu'(x) unless null. y or slope may be x.
inline void gelu_forward(ref, gelu_form form, view<double const, 1> x, view<double, 1> y, double* slope) {
    xt::xtensor<double, 1> const X = as_xt(x);
    auto Y = as_xt(y), S = as_xt(view<double, 1>(slope, x.shape()));
    if (form == gelu_form::exact) {
        xt::xtensor<double, 1> const cdf = 0.5 * xt::erfc(-X / std::numbers::sqrt2);
        xt::noalias(Y) = X * cdf;
        if (slope) xt::noalias(S) = cdf + X * (std::numbers::inv_sqrtpi / std::numbers::sqrt2) * xt::exp(-0.5 * X * X);
    } else {
        auto const k = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
        xt::xtensor<double, 1> const t = xt::tanh(k * (X + 0.044715 * X * X * X));
        xt::noalias(Y) = 0.5 * X * (1 + t);
        if (slope) xt::noalias(S) = 0.5 * (1 + t + X * (1 - t * t) * k * (1 + 3 * 0.044715 * X * X));
    }
}

/// y = x s, s = 1 / (1 + e^-x) (SiLU, 1702.03118), element by element, and slope = s + x s (1 - s) unless null. y or slope may be x.
inline void silu_forward(ref, view<double const, 1> x, view<double, 1> y, double* slope) {
    for (index_t i = 0; i < x.size(); ++i) {
        double const value = x.data()[i], s = 1 / (1 + std::exp(-value));
        y.data()[i] = value * s;
        if (slope) slope[i] = s + value * s * (1 - s);
    }
}

/// y = max(x, 0), element by element; NaN stays; and slope, 0 at 0, unless null. y or slope may be x.
inline void relu_forward(ref, view<double const, 1> x, view<double, 1> y, double* slope) {
    for (index_t i = 0; i < x.size(); ++i) {
        double const value = x.data()[i];
        y.data()[i] = value < 0 ? 0 : value;
        if (slope) slope[i] = value > 0 ? 1 : 0;
    }
}

/// y = x between -most and most, element by element; NaN stays; and slope, 0 beyond, unless null. y or slope may be x.
inline void clip_forward(ref, double most, view<double const, 1> x, view<double, 1> y, double* slope) {
    detail::each_element(rules::clip<double>{most}, x, y, slope);
}

/// y = cap tanh(x / cap), element by element, and slope unless null. y or slope may be x.
inline void soft_cap_forward(ref, double cap, view<double const, 1> x, view<double, 1> y, double* slope) {
    detail::each_element(rules::soft_cap<double>{cap}, x, y, slope);
}

/// y (n) of n pairs in `both`, a gate and what it multiplies: rules::clamped_gate.
inline void clamped_gate_forward(ref, double most, double steepness, view<double const, 1> both, view<double, 1> y) {
    for (index_t i = 0; i < y.size(); ++i) rules::clamped_gate<double>{most, steepness}(both.data()[2 * i], both.data()[2 * i + 1], y.data()[i]);
}

/// Row i of x (N, C) times by[i].
inline void multiply_rows_by(ref, double const* by, view<double, 2> x) {
    for (index_t i = 0; i < x.size(); ++i) x.data()[i] *= by[i / x.shape(1)];
}

/// x *= by.
inline void multiply_by(ref, double by, view<double, 1> x) {
    for (double& v : x) rules::scale<double>{by}(v);
}

/// y *= x.
inline void multiply_by(ref, view<double const, 1> x, view<double, 1> y) {
    auto Y = as_xt(y);
    xt::noalias(Y) *= as_xt(x);
}

/// x = 0
inline void zero(ref, view<double, 1> x) { as_xt(x).fill(0); }

/// y += x
inline void add(ref, view<double const, 1> x, view<double, 1> y) {
    auto Y = as_xt(y);
    xt::noalias(Y) += as_xt(x);
}

}  // namespace attnlab
