#pragma once
#include <cassert>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/array_rules.hpp>
#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/elements.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/gelu.hpp>

namespace attnlab {

namespace gpu {

template <gelu_form Form>
struct gelu_rule {
    constexpr void operator()(element x, element& y, element& slope) const {
        auto const d = gelu_detail::at<Form>(x);
        y = x * d.cdf;
        slope = gelu_detail::fused<element>::at(x, d.pdf, d.cdf);
    }
};
template <gelu_form Form>
struct gelu_back_rule {
    constexpr void operator()(element x, element& d) const {
        auto const at = gelu_detail::at<Form>(x);
        d = d * gelu_detail::fused<element>::at(x, at.pdf, at.cdf);
    }
};
template <class T, class Device>
void gelu_backward(Device device, gelu_form form, view<T const, 1> x, view<T, 1> d) {
    assert(x.size() == d.size());
    auto const run = [&](auto rule) { each_element(device, x.size(), rule, reads{x.data()}, changes{d.data()}); };
    form == gelu_form::exact ? run(gelu_back_rule<gelu_form::exact>{}) : run(gelu_back_rule<gelu_form::tanh>{});
}
template <class T, class Device>
void gelu_forward(Device device, gelu_form form, view<T const, 1> x, view<T, 1> y, T* slope) {
    assert(x.size() == y.size());
    auto const run = [&](auto rule) { each_element(device, x.size(), rule, reads{x.data()}, writes{y.data()}, writes{slope}); };
    form == gelu_form::exact ? run(gelu_rule<gelu_form::exact>{}) : run(gelu_rule<gelu_form::tanh>{});
}
/// d, by gelu(x), becomes that by x, of which these are the numbers before they are rounded.
template <int N, gelu_form Form>
struct back_through_gelu {
    bfloat16 const* x;
    bfloat16* d;
    template <class Warp>
    constexpr wide<Warp, N> operator()(Warp const&, index_t at, index_t left) const {
        auto const in = load<Warp, N>(x + at, left);
        auto by = load<Warp, N>(d + at, left);
        for (int i = 0; i < N * Warp::held; ++i) {   // one by one: the device has its functions of one number
            element e(by.v[i]);
            gelu_back_rule<Form>{}(element(in.v[i]), e);
            by.v[i] = e.v[0];
        }
        store<Warp, N>(d + at, by, left);
        return by;
    }
};
struct silu_rule {
    constexpr void operator()(element x, element& y, element& slope) const {
        element const one(1.0f), whole = one + expr::lane_functions<element>::exp(-x), s = one / whole;
        y = x / whole;
        slope = gelu_detail::fused<element>::at(y, one - s, s);
    }
};
struct relu_rule {
    constexpr void operator()(element x, element& y, element& slope) const {
        y = element(x.v[0] < 0 ? 0 : x.v[0]);
        slope = element(x.v[0] > 0 ? 1 : 0);
    }
};
struct row_factors;   ///< the purpose of memory
struct multiply_row {
    float const* by;
    float* x;
    index_t c;
    template <class Warp>
    constexpr void operator()(Warp const&, index_t row) const {
        float* const at = x + row * c;
        each_chunk(c, [&](index_t i) { store<Warp>(at + i, load<Warp>(at + i, c - i) * typename Warp::number(by[row]), c - i); });
    }
};
struct multiply_rule {
    constexpr void operator()(element x, element& y) const { y = y * x; }
};
struct add_rule {
    constexpr void operator()(element x, element& y) const { y = y + x; }
};

}  // namespace gpu

/// y = gelu(x), element by element, and slope = gelu'(x) unless null, all of float or of bfloat16. y or slope may be x.
template <cuda_device Device>
void gelu_forward(Device device, gelu_form form, view<float const, 1> x, view<float, 1> y, float* slope) {
    gpu::gelu_forward(device, form, x, y, slope);
}
template <cuda_device Device>
void gelu_forward(Device device, gelu_form form, view<bfloat16 const, 1> x, view<bfloat16, 1> y, bfloat16* slope) {
    gpu::gelu_forward(device, form, x, y, slope);
}

/// d, by gelu(x), becomes d gelu'(x), by x.
template <cuda_device Device>
void gelu_backward(Device device, gelu_form form, view<float const, 1> x, view<float, 1> d) {
    gpu::gelu_backward(device, form, x, d);
}
/// The same of rounded rows (N, C); dbias (C) += the sums of d's columns, of what there is before it is rounded, unless null.
template <cuda_device Device>
void gelu_backward(Device device, gelu_form form, view<bfloat16 const, 2> x, view<bfloat16, 2> d, float* dbias) {
    assert(x.shape() == d.shape());
    if (!dbias) return gpu::gelu_backward(device, form, flat(x), flat(d));
    gpu::with_width<8>(x.shape(1), {x.data(), d.data()}, [&](auto n) {
        auto const run = [&](auto numbers) { gpu::add_sums_of<n>(device, x.shape(0), x.shape(1), numbers, dbias); };
        form == gelu_form::exact ? run(gpu::back_through_gelu<n, gelu_form::exact>{x.data(), d.data()}) : run(gpu::back_through_gelu<n, gelu_form::tanh>{x.data(), d.data()});
    });
}

/// y = x s, s = 1 / (1 + e^-x) (SiLU, 1702.03118), element by element, and slope = s + y (1 - s) unless null. y or slope may be x.
template <cuda_device Device>
void silu_forward(Device device, view<float const, 1> x, view<float, 1> y, float* slope) {
    assert(x.size() == y.size());
    gpu::each_element(device, x.size(), gpu::silu_rule{}, gpu::reads{x.data()}, gpu::writes{y.data()}, gpu::writes{slope});
}

/// y = max(x, 0), element by element; NaN stays; and slope, 0 at 0, unless null. y or slope may be x.
template <cuda_device Device>
void relu_forward(Device device, view<float const, 1> x, view<float, 1> y, float* slope) {
    assert(x.size() == y.size());
    gpu::each_element(device, x.size(), gpu::relu_rule{}, gpu::reads{x.data()}, gpu::writes{y.data()}, gpu::writes{slope});
}

/// x = 0
template <cuda_device Device>
void zero(Device device, view<float, 1> x) {
    gpu::fill_zero(device, x.data(), x.size());
}

/// y = x between -most and most, element by element; NaN stays; and slope, 0 beyond, unless null. y or slope may be x.
template <cuda_device Device>
void clip_forward(Device device, float most, view<float const, 1> x, view<float, 1> y, float* slope) {
    assert(x.size() == y.size());
    gpu::each_element(device, x.size(), rules::clip<float>{most}, gpu::reads{x.data()}, gpu::writes{y.data()}, gpu::writes{slope});
}

/// y = cap tanh(x / cap), element by element, and slope unless null. y or slope may be x.
template <cuda_device Device>
void soft_cap_forward(Device device, float cap, view<float const, 1> x, view<float, 1> y, float* slope) {
    assert(x.size() == y.size());
    gpu::each_element(device, x.size(), rules::soft_cap<float>{cap}, gpu::reads{x.data()}, gpu::writes{y.data()}, gpu::writes{slope});
}

/// y (n) of n pairs in `both`, a gate and what it multiplies: rules::clamped_gate.
template <cuda_device Device>
void clamped_gate_forward(Device device, float most, float steepness, view<float const, 1> both, view<float, 1> y) {
    assert(both.size() == 2 * y.size());
    gpu::each_element(device, y.size(), rules::clamped_gate<float>{most, steepness}, gpu::reads_every_other{both.data()}, gpu::reads_every_other{both.data() + 1},
                      gpu::writes{y.data()});
}

/// Row i of x (N, C) times by[i]. \param by  on the host, and free again when this returns
template <cuda_device Device>
void multiply_rows_by(Device device, float const* by, view<float, 2> x) {
    gpu::launch_rows(device, x.shape(0), gpu::multiply_row{gpu::upload<gpu::row_factors>(device, by, x.shape(0)), x.data(), x.shape(1)});
}

/// x *= by.
template <cuda_device Device>
void multiply_by(Device device, float by, view<float, 1> x) {
    gpu::each_element(device, x.size(), rules::scale<float>{by}, gpu::changes{x.data()});
}

/// y *= x, of float or of bfloat16.
template <cuda_device Device>
void multiply_by(Device device, view<float const, 1> x, view<float, 1> y) {
    assert(x.size() == y.size());
    gpu::each_element(device, x.size(), gpu::multiply_rule{}, gpu::reads{x.data()}, gpu::changes{y.data()});
}
template <cuda_device Device>
void multiply_by(Device device, view<bfloat16 const, 1> x, view<bfloat16, 1> y) {
    assert(x.size() == y.size());
    gpu::each_element(device, x.size(), gpu::multiply_rule{}, gpu::reads{x.data()}, gpu::changes{y.data()});
}

/// y += x.
template <cuda_device Device>
void add(Device device, view<float const, 1> x, view<float, 1> y) {
    assert(x.size() == y.size());
    gpu::each_element(device, x.size(), gpu::add_rule{}, gpu::reads{x.data()}, gpu::changes{y.data()});
}

}  // namespace attnlab
