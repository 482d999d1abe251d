#pragma once
#include <string>

#include <attnlab/core/parameter.hpp>
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
        weight_.multiply([&](auto w) { linear_forward(Device{}, x, w, bias_ ? bias_->value.data() : nullptr, y); });
    }
    /// dx (N, I) is assigned, unless null.
    void backward(view<S const, 2> dy, view<S const, 2> x, S* dx) const {
        weight_.multiply([&](auto w) { linear_backward(Device{}, dy, x, w, dx, weight_.gradient(), bias_ ? bias_->gradient.data() : nullptr); });
    }

private:
    weight<Device> weight_;
    parameter<S>* bias_;
};

}  // namespace attnlab
