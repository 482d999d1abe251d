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

    void forward(view<S const, 2> x, view<S, 2> y) {
        weight_.update();
        weight_.multiply([&](auto w) { linear_forward(Device{}, x, w, bias(), y); });
    }
    /// dx (N, I) is assigned, unless null.
    void backward(view<S const, 2> dy, view<S const, 2> x, S* dx) const {
        weight_.multiply([&](auto w) { linear_backward(Device{}, dy, x, w, dx, weight_.gradient(), bias_gradient()); });
    }

    /// The same where x, and y, dy or dx where they are factors, were made for this Linear's products.
    void forward(factor<Device> const& x, view<S, 2> y) {
        with_rows([&](auto rows) { multiply(rows, y); }, x);
    }
    void forward(factor<Device> const& x, factor<Device>& y) {
        with_rows([&](auto rows, auto to) { multiply(rows, to); }, x, y);
    }
    void backward(view<S const, 2> dy, factor<Device> const& x, S* dx) const {
        with_rows([&](auto rows) { multiply_back(dy, rows, dx); }, x);
    }
    void backward(view<S const, 2> dy, factor<Device> const& x, factor<Device>& dx) const {
        with_rows([&](auto rows, auto to) { multiply_back(dy, rows, to.data()); }, x, dx);
    }
    void backward(factor<Device> const& dy, factor<Device> const& x, S* dx) const {
        with_rows([&](auto from, auto rows) { multiply_back(from, rows, dx); }, dy, x);
    }

private:
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
