#pragma once
#include <string>
#include <type_traits>

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

    void forward(view<S const, 2> x, view<S, 2> y) { forward_onto({}, x, y); }
    /// y = onto + x W^T + b, where `onto` is not empty: a GPU's product adds in the same pass.
    void forward_onto(view<S const, 2> onto, view<S const, 2> x, view<S, 2> y) {
        weight_.update();
        weight_.multiply([&](auto w) { multiply_onto(onto, x, w, y); });
    }
    /// dx (N, I) is assigned, unless null.
    void backward(view<S const, 2> dy, view<S const, 2> x, S* dx) const {
        weight_.multiply([&](auto w) { linear_backward(Device{}, dy, x, w, dx, weight_.gradient(), bias_gradient()); });
    }
    /// dx (N, I) is added to.
    void backward_onto(view<S const, 2> dy, view<S const, 2> x, S* dx) const {
        weight_.multiply([&](auto w) { linear_backward_onto(Device{}, dy, x, w, dx, weight_.gradient(), bias_gradient()); });
    }

    /// The same where x, and y, dy or dx where they are factors, were made for this Linear's products.
    void forward(factor<Device> const& x, view<S, 2> y) { forward_onto({}, x, y); }
    void forward_onto(view<S const, 2> onto, factor<Device> const& x, view<S, 2> y) {
        with_rows([&]<class X>(view<X, 2> rows) {
            if constexpr (std::is_same_v<X const, S const>) {
                forward_onto(onto, view<S const, 2>(rows), y);
            } else {
                weight_.update();
                multiply_onto(onto, view<X const, 2>(rows), weight_.rounded(), y);
            }
        }, x);
    }
    void forward(factor<Device> const& x, factor<Device>& y) {
        with_rows([&](auto rows, auto to) { multiply(rows, to); }, x, y);
    }
    void backward(view<S const, 2> dy, factor<Device> const& x, factor<Device>& dx) const {
        with_rows([&](auto rows, auto to) { multiply_back(dy, rows, to.data()); }, x, dx);
    }
    void backward(factor<Device> const& dy, factor<Device> const& x, factor<Device>& dx) const {
        with_rows([&](auto from, auto rows, auto to) { multiply_back(from, rows, to.data()); }, dy, x, dx);
    }

private:
    template <class X, class W>
    void multiply_onto(view<S const, 2> onto, view<X const, 2> x, W w, view<S, 2> y) {
        if constexpr (is_cuda<Device>)
            if (!onto.empty()) return linear_forward_onto(Device{}, onto, x, w, bias(), y);
        linear_forward(Device{}, x, w, bias(), y);
        if (!onto.empty()) add(Device{}, flat(onto), flat(y));
    }
    template <class X, class Y>
    void multiply(view<X const, 2> x, view<Y, 2> y) {
        if constexpr (std::is_same_v<X, S>) {
            forward(x, y);
        } else {
            weight_.update();
            linear_forward(Device{}, x, weight_.rounded(), bias(), y);
        }
    }
    template <class Y, class X, class D>
    void multiply_back(view<Y const, 2> dy, view<X const, 2> x, D* dx) const {
        if constexpr (std::is_same_v<X, S>)
            backward(dy, x, dx);
        else
            linear_backward(Device{}, dy, x, weight_.rounded(), dx, weight_.gradient(), bias_gradient());
    }
    S const* bias() const { return bias_ ? bias_->value.data() : nullptr; }
    S* bias_gradient() const { return bias_ ? bias_->gradient.data() : nullptr; }

    weight<Device> weight_;
    parameter<S>* bias_;
};

}  // namespace attnlab
