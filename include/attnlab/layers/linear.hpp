#pragma once
#include <string>

#include <attnlab/core/parameter.hpp>
#include <attnlab/layers/factor.hpp>
#include <attnlab/layers/weight.hpp>

namespace attnlab {

/// y = x W^T + b on rows of x (N, I); W (O, I), b (O) optional. Gradients are added to the parameters'.
template <class Device>
class linear {
    using S = typename Device::scalar;

public:
    linear(parameter_list<S>& all, std::string const& name, index_t in, index_t out, bool bias, double deviation, precision products)
        : weight_(all.add(name + ".weight", {out, in}, normal(deviation)), products),
          bias_(bias ? all.add(name + ".bias", {out}, zeros) : nullptr) {}

    void forward(view<S const, 2> x, view<S, 2> y) {
        weight_.update();
        weight_.multiply([&](auto w) { linear_forward(Device{}, x, w, bias(), y); });
    }
    void forward(factor<Device> const& x, view<S, 2> y) {
        if constexpr (factor<Device>::may_be_rounded)
            if (x.is_rounded()) {
                weight_.update();
                return linear_forward(Device{}, x.rounded(), weight_.rounded(), bias(), y);
            }
        forward(x.whole(), y);
    }
    /// dx (N, I) is assigned, unless null.
    void backward(view<S const, 2> dy, view<S const, 2> x, S* dx) const {
        weight_.multiply([&](auto w) { linear_backward(Device{}, dy, x, w, dx, weight_.gradient(), bias_gradient()); });
    }
    void backward(view<S const, 2> dy, factor<Device> const& x, S* dx) const {
        if constexpr (factor<Device>::may_be_rounded)
            if (x.is_rounded()) return linear_backward(Device{}, dy, x.rounded(), weight_.rounded(), dx, weight_.gradient(), bias_gradient());
        backward(dy, x.whole(), dx);
    }
    /// Of a dy that was made for the same products as x.
    void backward(factor<Device> const& dy, factor<Device> const& x, S* dx) const {
        if constexpr (factor<Device>::may_be_rounded)
            if (x.is_rounded()) return linear_backward(Device{}, dy.rounded(), x.rounded(), weight_.rounded(), dx, weight_.gradient(), bias_gradient());
        backward(dy.whole(), x.whole(), dx);
    }

private:
    S const* bias() const { return bias_ ? bias_->value.data() : nullptr; }
    S* bias_gradient() const { return bias_ ? bias_->gradient.data() : nullptr; }

    weight<Device> weight_;
    parameter<S>* bias_;
};

}  // namespace attnlab
