#pragma once
#include <string>
#include <type_traits>

#include <attnlab/core/parameter.hpp>
#include <attnlab/layers/factor.hpp>
#include <attnlab/layers/stream_gradient.hpp>

namespace attnlab {

/// LayerNorm over rows of C, bias optional.
template <class Device>
class layer_norm {
    using S = typename Device::scalar;

public:
    /// What backward needs besides the input.
    struct saved {
        tensor<S, 1> mean, rstd;   ///< (N)
    };

    layer_norm(parameter_list<S>& all, std::string const& name, index_t width, bool bias, double eps)
        : eps_(static_cast<S>(eps)), weight_(all.add(name + ".weight", {width}, ones)),
          bias_(bias ? all.add(name + ".bias", {width}, zeros) : nullptr) {}

    void forward(view<S const, 2> x, view<S, 2> y, saved& s) const { normalize(x, y, s); }
    void forward(view<S const, 2> x, factor<Device>& y, saved& s) const {
        with_rows([&]<class T>(view<T, 2> rows) {
            if constexpr (std::is_same_v<T, S>) normalize(x, rows, s);
            else normalize(x, rows, s, y.has_whole() ? y.whole().data() : nullptr);
        }, y);
    }
    /// Adds to d: the stream's own gradient passes by the norm. \param next  the bias's gradient of the Linear that takes d next, or null
    void backward(view<S const, 2> dy, view<S const, 2> x, saved const& s, stream_gradient<Device> const& d, S* next) const { pass_back(dy, x, s, d, next); }
    void backward(factor<Device> const& dy, view<S const, 2> x, saved const& s, stream_gradient<Device> const& d, S* next) const {
        with_rows([&](auto rows) { pass_back(rows, x, s, d, next); }, dy);
    }

private:
    template <class T>
    void pass_back(view<T const, 2> dy, view<S const, 2> x, saved const& s, stream_gradient<Device> const& d, [[maybe_unused]] S* next) const {
        auto const run = [&](auto... also) {
            layer_norm_backward(Device{}, dy, x, weight_->value.data(), s.mean.data(), s.rstd.data(), rows(d.whole), weight_->gradient.data(),
                                bias_ ? bias_->gradient.data() : nullptr, also...);
        };
        if constexpr (is_cuda<Device>)
            if (d.is_rounded()) return run(d.rounded.data(), next);
        run();
    }

    template <class T, class... Whole>
    void normalize(view<S const, 2> x, view<T, 2> y, saved& s, Whole... whole) const {
        s.mean.resize({x.shape(0)});
        s.rstd.resize({x.shape(0)});
        layer_norm_forward(Device{}, x, weight_->value.data(), bias_ ? bias_->value.data() : nullptr, eps_, y, s.mean.data(), s.rstd.data(), whole...);
    }

    S eps_;
    parameter<S>*weight_, *bias_;
};

}  // namespace attnlab
