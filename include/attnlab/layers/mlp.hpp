#pragma once
#include <array>
#include <string>
#include <type_traits>
#include <utility>

#include <attnlab/kernels/gelu_form.hpp>
#include <attnlab/layers/linear.hpp>
#include <attnlab/observe/observer.hpp>

namespace attnlab {

/// y = W2 gelu(W1 x), the width in between 4 C.
template <class Device>
class mlp {
    using S = typename Device::scalar;

public:
    struct saved {
        factor<Device> post, slope;   ///< (N, 4C): after GELU, and its derivative; on a GPU what is before GELU in its place: there memory is dearer than arithmetic
    };

    mlp(parameter_list<S>& all, std::string const& name, index_t width, bool bias, gelu_form form, double deviation, double projection_deviation,
        precision products)
        : width_(width), form_(form), products_(products), up_(all, name + ".c_fc", width, 4 * width, bias, deviation, products),
          down_(all, name + ".c_proj", 4 * width, width, bias, projection_deviation, products) {}

    /// y = onto, unless empty, + the layer's result.
    template <observer Observer>
    void forward(view<S const, 2> onto, factor<Device> const& x, view<S, 2> y, saved& s, Observer& o, index_t layer, std::array<index_t, 2> batch) {
        std::array<index_t, 2> const shape{x.shape()[0], 4 * width_};
        s.post.resize(shape, products_);
        s.slope.resize(shape, products_);
        activate(x, s, o, layer, batch);
        watch(o, site::mlp_post{}, layer, s.post, batch);
        down_.forward_onto(onto, s.post, y);
    }

    /// dx (N, C) is assigned; `wide` is room to work in.
    template <observer Observer>
    void backward(stream_gradient<Device> const& dy, factor<Device> const& x, saved const& s, factor<Device>& dx, factor<Device>& wide, Observer& o, index_t layer,
                  std::array<index_t, 2> batch) const {
        wide.resize(s.slope.shape(), products_);
        down_.backward(dy, s.post, wide);
        watch(o, site::gradient<site::mlp_post>{}, layer, std::as_const(wide), batch);
        with_rows([&]<class T>(view<T const, 2> slope, view<T, 2> d) {
            if constexpr (keeps_slope) multiply_by(Device{}, flat(slope), flat(d));
            else if constexpr (std::is_same_v<T, S>) gelu_backward(Device{}, form_, flat(slope), flat(d));
            else gelu_backward(Device{}, form_, slope, d, up_.bias_gradient());
        }, s.slope, wide);
        watch(o, site::gradient<site::mlp_pre>{}, layer, std::as_const(wide), batch);
        up_.backward(wide, x, dx, wide.is_rounded());
    }
    S* last_bias_gradient() const { return down_.bias_gradient(); }

private:
    /// Both of `saved`. The product makes them at once where it knows this GELU, unless an observer is to see, or change, what is before it.
    template <observer Observer>
    void activate(factor<Device> const& x, saved& s, Observer& o, index_t layer, std::array<index_t, 2> batch) {
        if constexpr (is_cuda<Device> && !wants<Observer, site::mlp_pre>)
            if (s.slope.is_rounded() && form_ == gelu_form::tanh) return up_.forward_with_gelu(x, s.slope, s.post);
        up_.forward(x, s.slope);   // until GELU has read it, what is before GELU
        watch(o, site::mlp_pre{}, layer, s.slope, batch);
        with_rows([&]<class T>(view<T, 2> post, view<T, 2> slope) { gelu_forward(Device{}, form_, flat(view<T const, 2>(slope)), flat(post), keeps_slope ? slope.data() : nullptr); }, s.post, s.slope);
    }

    static constexpr bool keeps_slope = !is_cuda<Device>;

    index_t width_;
    gelu_form form_;
    precision products_;
    linear<Device> up_, down_;
};

}  // namespace attnlab
