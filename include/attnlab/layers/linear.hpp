#pragma once
#include <string>
#include <type_traits>

#include <attnlab/core/parameter.hpp>
#include <attnlab/layers/factor.hpp>
#include <attnlab/layers/stream_gradient.hpp>
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
    void backward(stream_gradient<Device> const& dy, view<S const, 2> x, S* dx) const {
        if constexpr (is_cuda<Device>)
            if (dy.is_rounded()) return linear_backward(Device{}, view<bfloat16 const, 2>(dy.rounded), x, weight_.rounded(), dx, weight_.gradient(), static_cast<S*>(nullptr));
        backward(rows(view<S const, 3>(dy.whole)), x, dx);
    }
    /// dx (N, I) is added to. What is not rounded, of dy or dx, finds x as floats, too.
    void backward_onto(factor<Device> const& dy, factor<Device> const& x, factor<Device>& dx) const {
        auto const run = [&](auto from, auto rows, auto w, auto* to) { linear_backward_onto(Device{}, from, rows, w, to, weight_.gradient(), bias_gradient()); };
        if constexpr (is_cuda<Device>)
            if (dy.is_rounded()) {
                if (dx.is_rounded()) return run(dy.rounded(), x.rounded(), weight_.rounded(), dx.rounded().data());
                return run(dy.rounded(), x.rounded(), weight_.rounded(), dx.whole().data());
            }
        weight_.multiply([&](auto w) { run(dy.whole(), x.whole(), w, dx.whole().data()); });
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
    /// y, rounded, and post = gelu(y) in its tanh form, at once. A template, for clang instantiates what is none of a class, whatever it requires.
    template <class GPU = Device>
        requires is_cuda<GPU>
    void forward_with_gelu(factor<GPU> const& x, factor<GPU>& y, factor<GPU>& post) {
        weight_.update();
        linear_gelu_forward(GPU{}, x.rounded(), weight_.rounded(), bias(), y.rounded(), post.rounded());
    }
    void backward(view<S const, 2> dy, factor<Device> const& x, factor<Device>& dx) const {
        with_rows([&](auto rows, auto to) { multiply_back(dy, rows, to.data(), bias_gradient()); }, x, dx);
    }
    /// \param knows_bias  whose gradient was added by what made dy
    void backward(factor<Device> const& dy, factor<Device> const& x, factor<Device>& dx, bool knows_bias = false) const {
        with_rows([&](auto from, auto rows, auto to) { multiply_back(from, rows, to.data(), knows_bias ? nullptr : bias_gradient()); }, dy, x, dx);
    }
    void backward(stream_gradient<Device> const& dy, factor<Device> const& x, factor<Device>& dx) const {
        with_rows([&]<class X>(view<X const, 2> rows, view<X, 2> to) {
            if constexpr (std::is_same_v<X, S>) backward(dy, rows, to.data());
            else multiply_back(view<X const, 2>(dy.rounded), rows, to.data(), nullptr);
        }, x, dx);
    }

    /// Null without a bias.
    S* bias_gradient() const { return bias_ ? bias_->gradient.data() : nullptr; }

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
    void multiply_back(view<Y const, 2> dy, view<X const, 2> x, D* dx, S* dbias) const {
        if constexpr (std::is_same_v<X, S>)
            backward(dy, x, dx);
        else
            linear_backward(Device{}, dy, x, weight_.rounded(), dx, weight_.gradient(), dbias);
    }
    S const* bias() const { return bias_ ? bias_->value.data() : nullptr; }

    weight<Device> weight_;
    parameter<S>* bias_;
};

}  // namespace attnlab
