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
        factor<Device> post, slope;   ///< (N, 4C): after GELU, and its derivative
    };
    /// Room to work in, shared by all layers.
    struct workspace {
        factor<Device> wide;
        tensor<S, 2> before_rounding;
    };

    mlp(parameter_list<S>& all, std::string const& name, index_t width, bool bias, gelu_form form, double deviation, double projection_deviation,
        precision products)
        : width_(width), form_(form), products_(products), up_(all, name + ".c_fc", width, 4 * width, bias, deviation, products),
          down_(all, name + ".c_proj", 4 * width, width, bias, projection_deviation, products) {}

    template <observer Observer>
    void forward(factor<Device> const& x, view<S, 2> y, saved& s, workspace& w, Observer& o, index_t layer, std::array<index_t, 2> batch) {
        std::array<index_t, 2> const shape{x.shape()[0], 4 * width_};
        s.post.resize(shape, products_);
        s.slope.resize(shape, products_);
        view<S, 2> const pre = s.slope.before_rounding(w.before_rounding);
        up_.forward(x, pre);
        watch(o, site::mlp_pre{}, layer, [&] { return pre.reshaped(std::array{batch[0], batch[1], shape[1]}); });
        with_rows([&](auto post, auto slope) { gelu_forward(Device{}, form_, flat(view<S const, 2>(pre)), flat(post), slope.data()); }, s.post, s.slope);
        watch(o, site::mlp_post{}, layer, s.post, batch);
        down_.forward(s.post, y);
    }

    /// dx (N, C) is assigned.
    template <observer Observer>
    void backward(view<S const, 2> dy, factor<Device> const& x, saved const& s, S* dx, workspace& w, Observer& o, index_t layer,
                  std::array<index_t, 2> batch) const {
        w.wide.resize(s.slope.shape(), products_);
        view<S, 2> const d_post = w.wide.before_rounding(w.before_rounding);
        down_.backward(dy, s.post, d_post.data());
        watch(o, site::gradient<site::mlp_post>{}, layer, [&] { return view<S const, 3>(d_post.data(), {batch[0], batch[1], d_post.shape(1)}); });
        with_rows(
            [&]<class T>(view<T const, 2> slope, view<T, 2> d_pre) {
                if constexpr (std::is_same_v<T, S>)
                    multiply_by(Device{}, flat(slope), flat(d_pre));   // which d_post is
                else
                    multiply_by(Device{}, flat(slope), flat(view<S const, 2>(d_post)), flat(d_pre));
            },
            s.slope, w.wide);
        watch(o, site::gradient<site::mlp_pre>{}, layer, std::as_const(w.wide), batch);
        up_.backward(w.wide, x, dx);
    }

private:
    index_t width_;
    gelu_form form_;
    precision products_;
    linear<Device> up_, down_;
};

}  // namespace attnlab
