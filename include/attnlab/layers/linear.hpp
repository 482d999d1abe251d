#pragma once
#include <string>

#include <attnlab/core/parameter.hpp>

namespace attnlab {

/// y = x W^T + b on rows of x (N, I); W (O, I), b (O) optional. Gradients are added to the parameters'.
template <class Device>
class linear {
    using S = typename Device::scalar;

public:
    linear(parameter_list<S>& all, std::string const& name, index_t in, index_t out, bool bias, double deviation)
        : in_(in), out_(out), weight_(all.add(name + ".weight", {out, in}, normal(deviation))),
          bias_(bias ? all.add(name + ".bias", {out}, zeros) : nullptr) {}

    void forward(view<S const, 2> x, view<S, 2> y) const {
        linear_forward(Device{}, x, weight(), bias_ ? bias_->value.data() : nullptr, y);
    }
    /// dx (N, I) is assigned, unless null.
    void backward(view<S const, 2> dy, view<S const, 2> x, S* dx) const {
        linear_backward(Device{}, dy, x, weight(), dx, view<S, 2>(weight_->gradient.data(), {out_, in_}),
                        bias_ ? bias_->gradient.data() : nullptr);
    }

private:
    view<S const, 2> weight() const { return {weight_->value.data(), {out_, in_}}; }

    index_t in_, out_;
    parameter<S>*weight_, *bias_;
};

}  // namespace attnlab
