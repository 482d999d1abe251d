#pragma once
#include <algorithm>
#include <cassert>
#include <initializer_list>
#include <numbers>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>
#include <attnlab/kernels/gelu_form.hpp>

namespace attnlab {

namespace gelu_detail {

/// y = x cdf and dy/dx = cdf + x pdf, where cdf is Phi or what stands for it, and pdf its derivative.
struct distribution {
    lanes cdf, pdf;
};

/// The polynomial with these coefficients, highest power first, at x (Horner).
inline lanes polynomial(lanes x, std::initializer_list<float> coefficients) {
    lanes sum = 0.0f;
    for (float c : coefficients) sum = fma(sum, x, c);
    return sum;
}

/// The normal distribution to float rounding, the lower tail included: Phi(-a) = e^(-a^2/2) r(a), where r, the scaled erfc, is a
/// minimax fit of a rational function over [0, 14.5] (relative error 6e-9, Lawson's iteration). Beyond, e^(-a^2/2) is 0.
inline distribution exact(lanes x) {
    lanes const a = min(15.0f, xsimd::abs(x));
    lanes const above = polynomial(a, {0.00411630375f, 0.0406331904f, 0.183235019f, 0.438294798f, 0.5f});
    lanes const below = polynomial(a, {0.0103179244f, 0.10185875f, 0.469470322f, 1.20250261f, 1.6744746f, 1.0f});
    lanes const bell = exp(-0.5f * x * x);
    lanes const tail = bell * (above / below);
    constexpr float inverse_root_2pi = static_cast<float>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    return {xsimd::select(x > lanes(0.0f), 1.0f - tail, tail), inverse_root_2pi * bell};
}

/// (1 + tanh u) / 2 = sigmoid(2u), with 2u = sqrt(8 / pi) (x + 0.044715 x^3). Of sigmoid and its complement, which multiply to
/// the derivative, the smaller is computed as such: a difference from 1 would lose its digits.
inline distribution tanh(lanes x) {
    constexpr float k = static_cast<float>(2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
    lanes const square = x * x;
    lanes const e = exp(-xsimd::abs(k * x * fma(0.044715f, square, 1.0f)));
    lanes const larger = 1.0f / (1.0f + e), smaller = e * larger;
    return {xsimd::select(x > lanes(0.0f), larger, smaller), larger * smaller * k * fma(3 * 0.044715f, square, 1.0f)};
}

template <gelu_form Form>
distribution at(lanes x) {
    return Form == gelu_form::exact ? exact(x) : tanh(x);
}

template <gelu_form Form>
void forward(view<float const, 1> x, view<float, 1> y, float* slope) {
    each_element(x.size(), [=](index_t i, auto part) {
        lanes const value = load(x.data() + i, part);
        auto const [cdf, pdf] = at<Form>(value);
        store(y.data() + i, value * cdf, part);
        if (slope) store(slope + i, fma(value, pdf, cdf), part);
    });
}

}  // namespace gelu_detail

/// y = gelu(x), element by element, and slope = gelu'(x) unless null: both have the same exponential, so that the way back is a
/// product (`multiply_by`). y or slope may be x.
inline void gelu_forward(cpu, gelu_form form, view<float const, 1> x, view<float, 1> y, float* slope) {
    assert(x.size() == y.size());
    form == gelu_form::exact ? gelu_detail::forward<gelu_form::exact>(x, y, slope)
                             : gelu_detail::forward<gelu_form::tanh>(x, y, slope);
}

/// y = x / (1 + e^-x) (SiLU, 1702.03118), element by element. y may be x.
inline void silu_forward(cpu, view<float const, 1> x, view<float, 1> y) {
    assert(x.size() == y.size());
    each_element(x.size(), [=](index_t i, auto part) {
        lanes const value = load(x.data() + i, part);
        store(y.data() + i, value / (1.0f + exp(-value)), part);
    });
}

/// y = max(x, 0), element by element; NaN stays. y may be x.
inline void relu_forward(cpu, view<float const, 1> x, view<float, 1> y) {
    assert(x.size() == y.size());
    each_element(x.size(), [=](index_t i, auto part) { store(y.data() + i, max(lanes(0.0f), load(x.data() + i, part)), part); });
}

/// y *= x: a gradient through an element-by-element function whose slope is x.
inline void multiply_by(cpu, view<float const, 1> x, view<float, 1> y) {
    assert(x.size() == y.size());
    each_element(x.size(),
                 [=](index_t i, auto part) { store(y.data() + i, load(y.data() + i, part) * load(x.data() + i, part), part); });
}

inline void zero(cpu, view<float, 1> x) { std::fill(x.begin(), x.end(), 0.0f); }

/// y += x: how a residual stream takes a layer's output, and its gradient.
inline void add(cpu, view<float const, 1> x, view<float, 1> y) {
    assert(x.size() == y.size());
    each_element(x.size(),
                 [=](index_t i, auto part) { store(y.data() + i, load(y.data() + i, part) + load(x.data() + i, part), part); });
}

}  // namespace attnlab
