#pragma once
#include <algorithm>
#include <cassert>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/array_rules.hpp>
#include <attnlab/kernels/cpu/lanes.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>
#include <attnlab/kernels/gelu.hpp>

namespace attnlab {

namespace gelu_detail {

template <>
struct fused<lanes> {
    static lanes at(lanes a, lanes b, lanes c) { return fma(a, b, c); }
};

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

/// y = x s, s = 1 / (1 + e^-x) (SiLU, 1702.03118), element by element, and slope = s + y (1 - s) unless null. y or slope may be x.
inline void silu_forward(cpu, view<float const, 1> x, view<float, 1> y, float* slope) {
    assert(x.size() == y.size());
    each_element(x.size(), [=](index_t i, auto part) {
        lanes const value = load(x.data() + i, part), whole = 1.0f + exp(-value), result = value / whole;
        store(y.data() + i, result, part);
        if (slope) {
            lanes const s = 1.0f / whole;
            store(slope + i, fma(result, 1.0f - s, s), part);
        }
    });
}

/// y = max(x, 0), element by element; NaN stays; and slope, 0 at 0, unless null. y or slope may be x.
inline void relu_forward(cpu, view<float const, 1> x, view<float, 1> y, float* slope) {
    assert(x.size() == y.size());
    each_element(x.size(), [=](index_t i, auto part) {
        lanes const value = load(x.data() + i, part);
        store(y.data() + i, max(lanes(0.0f), value), part);
        if (slope) store(slope + i, xsimd::select(value > lanes(0.0f), lanes(1.0f), lanes(0.0f)), part);
    });
}

namespace detail {
template <class Rule>
void each_element_by(Rule rule, view<float const, 1> x, view<float, 1> y, float* slope) {
    assert(x.size() == y.size());
    each_element(x.size(), [=](index_t i, auto part) {
        lanes value, of_value;
        rule(load(x.data() + i, part), value, of_value);
        store(y.data() + i, value, part);
        if (slope) store(slope + i, of_value, part);
    });
}
}  // namespace detail

/// y = x between -most and most, element by element; NaN stays; and slope, 0 beyond, unless null. y or slope may be x.
inline void clip_forward(cpu, float most, view<float const, 1> x, view<float, 1> y, float* slope) {
    detail::each_element_by(rules::clip<float>{most}, x, y, slope);
}

/// y = cap tanh(x / cap), element by element, and slope unless null. y or slope may be x.
inline void soft_cap_forward(cpu, float cap, view<float const, 1> x, view<float, 1> y, float* slope) {
    detail::each_element_by(rules::soft_cap<float>{cap}, x, y, slope);
}

/// y (n) of n pairs in `both`, a gate and what it multiplies: rules::clamped_gate.
inline void clamped_gate_forward(cpu, float most, float steepness, view<float const, 1> both, view<float, 1> y) {
    each_row(y.size(), 1, [=](index_t i) { rules::clamped_gate<float>{most, steepness}(both.data()[2 * i], both.data()[2 * i + 1], y.data()[i]); });
}

/// Row i of x (N, C) times by[i].
inline void multiply_rows_by(cpu, float const* by, view<float, 2> x) {
    index_t const c = x.shape(1);
    each_row(x.shape(0), c, [=](index_t i) {
        float* const row = x.data() + i * c;
        each_lanes(c, [=](index_t j, auto part) { store(row + j, by[i] * load(row + j, part), part); });
    });
}

/// x *= by.
inline void multiply_by(cpu, float by, view<float, 1> x) {
    each_element(x.size(), [=](index_t i, auto part) {
        lanes value = load(x.data() + i, part);
        rules::scale<float>{by}(value);
        store(x.data() + i, value, part);
    });
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
