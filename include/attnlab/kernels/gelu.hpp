#pragma once
#include <numbers>

#include <attnlab/attention/functions.hpp>
#include <attnlab/kernels/gelu_form.hpp>

/// \file
/// GELU and its slope in float, on any lane type: a register of the cpu, a lane of a warp.

namespace attnlab::gelu_detail {

/// a b + c, rounded once where the target can; a SIMD type specialises this.
template <class L>
struct fused {
    static constexpr L at(L a, L b, L c) { return a * b + c; }
};

/// y = x cdf and dy/dx = cdf + x pdf, where cdf is Phi or what stands for it, and pdf its derivative.
template <class L>
struct distribution {
    L cdf, pdf;
};

/// The polynomial with these coefficients, highest power first, at x (Horner).
template <class L, class... Coefficient>
constexpr L polynomial(L x, Coefficient... c) {
    L sum = L(0.0f);
    ((sum = fused<L>::at(sum, x, L(c))), ...);
    return sum;
}

/// The normal distribution to float rounding, the lower tail included: Phi(-a) = e^(-a^2/2) r(a), where r, the scaled erfc, is a
/// minimax fit of a rational function over [0, 14.5] (relative error 6e-9, Lawson's iteration). Beyond, e^(-a^2/2) is 0.
template <class L>
constexpr distribution<L> exact(L x) {
    using f = expr::lane_functions<L>;
    L const far = f::abs(x), a = f::where_positive(far - L(15.0f), L(15.0f), far);
    L const above = polynomial(a, 0.00411630375f, 0.0406331904f, 0.183235019f, 0.438294798f, 0.5f);
    L const below = polynomial(a, 0.0103179244f, 0.10185875f, 0.469470322f, 1.20250261f, 1.6744746f, 1.0f);
    L const bell = f::exp(L(-0.5f) * x * x);
    L const tail = bell * (above / below);
    constexpr float inverse_root_2pi = static_cast<float>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
    return {f::where_positive(x, L(1.0f) - tail, tail), L(inverse_root_2pi) * bell};
}

/// (1 + tanh u) / 2 = sigmoid(2u), with 2u = sqrt(8 / pi) (x + 0.044715 x^3). Of sigmoid and its complement, which multiply to
/// the derivative, the smaller is computed as such: a difference from 1 would lose its digits.
template <class L>
constexpr distribution<L> tanh(L x) {
    using f = expr::lane_functions<L>;
    constexpr float k = static_cast<float>(2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
    L const square = x * x;
    L const e = f::exp(-f::abs(L(k) * x * fused<L>::at(L(0.044715f), square, L(1.0f))));
    L const larger = L(1.0f) / (L(1.0f) + e), smaller = e * larger;
    return {f::where_positive(x, larger, smaller), larger * smaller * L(k) * fused<L>::at(L(3 * 0.044715f), square, L(1.0f))};
}

template <gelu_form Form, class L>
constexpr distribution<L> at(L x) {
    if constexpr (Form == gelu_form::exact)
        return gelu_detail::exact(x);
    else
        return gelu_detail::tanh(x);
}

/// gelu(x) alone.
template <gelu_form Form, class L>
constexpr L gelu(L x) {
    return x * at<Form>(x).cdf;
}

}  // namespace attnlab::gelu_detail
