#pragma once
#include <array>
#include <string>

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
        tensor<S, 2> post, slope;   ///< (N, 4C): after GELU, and its derivative
    };

    mlp(parameter_list<S>& all, std::string const& name, index_t width, bool bias, gelu_form form, double deviation, double projection_deviation,
        precision products)
        : width_(width), form_(form), up_(all, name + ".c_fc", width, 4 * width, bias, deviation, products),
          down_(all, name + ".c_proj", 4 * width, width, bias, projection_deviation, products) {}

    template <observer Observer>
    void forward(view<S const, 2> x, view<S, 2> y, saved& s, Observer& o, index_t layer, std::array<index_t, 2> batch) {
        index_t const n = x.shape(0), wide = 4 * width_;
        s.post.resize({n, wide});
        s.slope.resize({n, wide});
        [[maybe_unused]] auto const in_batch = [&](tensor<S, 2>& t) {
            return [&] { return (*t).reshaped(std::array{batch[0], batch[1], wide}); };
        };
        up_.forward(x, s.slope);   // until GELU has read it, what is before GELU
        watch(o, site::mlp_pre{}, layer, in_batch(s.slope));
        gelu_forward(Device{}, form_, flat(s.slope), (*s.post).reshaped(std::array{n * wide}), s.slope.data());
        watch(o, site::mlp_post{}, layer, in_batch(s.post));
        down_.forward(s.post, y);
    }

    /// dx (N, C) is assigned; `wide` (N, 4C) is room to work in.
    template <observer Observer>
    void backward(view<S const, 2> dy, view<S const, 2> x, saved const& s, S* dx, tensor<S, 2>& wide, Observer& o, index_t layer,
                  std::array<index_t, 2> batch) const {
        wide.resize(s.slope.shape());
        [[maybe_unused]] auto const in_batch = [&] { return view<S const, 3>(wide.data(), {batch[0], batch[1], 4 * width_}); };
        down_.backward(dy, s.post, wide.data());
        watch(o, site::gradient<site::mlp_post>{}, layer, in_batch);
        multiply_by(Device{}, flat(s.slope), (*wide).reshaped(std::array{wide.size()}));
        watch(o, site::gradient<site::mlp_pre>{}, layer, in_batch);
        up_.backward(wide, x, dx);
    }

private:
    static view<S const, 1> flat(tensor<S, 2> const& x) { return {x.data(), {x.size()}}; }

    index_t width_;
    gelu_form form_;
    linear<Device> up_, down_;
};

}  // namespace attnlab
