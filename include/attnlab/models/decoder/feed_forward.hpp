#pragma once
#include <string>

#include <attnlab/kernels/gelu_form.hpp>
#include <attnlab/models/decoder/stored_linear.hpp>
#include <attnlab/observe/observer.hpp>

namespace attnlab {

/// y = act(x), element by element, and slope = act'(x) unless null; y or slope may be x.
template <class Device, class S>
void activate(activation act, view<S const, 1> x, view<S, 1> y, S* slope = nullptr) {
    switch (act) {
        case activation::gelu: return gelu_forward(Device{}, gelu_form::exact, x, y, slope);
        case activation::gelu_tanh: return gelu_forward(Device{}, gelu_form::tanh, x, y, slope);
        case activation::silu: return silu_forward(Device{}, x, y, slope);
        case activation::relu: return relu_forward(Device{}, x, y, slope);
    }
}

/// y = W2 act(W1 x), or with a gate W2 (act(Wg x) * W1 x) (GLU variants, 2002.05202).
template <class Device>
class feed_forward {
    using S = typename Device::scalar;

public:
    struct scratch {
        tensor<S, 2> wide, gate;   ///< (N, F)
    };

    feed_forward() = default;
    feed_forward(model_folder const& from, std::string const& prefix, decoder_description const& d)
        : act_(d.act), down_(from, prefix, d.down, d.mlp_width, d.width) {
        index_t const F = d.mlp_width;
        if (d.fused_gate) {
            auto const both = from.tensor(prefix + d.up.name + ".weight", {2 * F, d.width});
            gate_ = stored_linear<Device>(both.rows(0, F), false, {});
            up_ = stored_linear<Device>(both.rows(F, F), false, {});
            return;
        }
        up_ = stored_linear<Device>(from, prefix, d.up, d.width, F);
        if (d.gated()) gate_ = stored_linear<Device>(from, prefix, d.gate, d.width, F);
    }

    /// x (N, C) -> y (N, C), N = B T.
    template <observer Observer>
    void forward(view<S const, 2> x, view<S, 2> y, scratch& s, Observer& o, index_t layer, std::array<index_t, 2> batch) const {
        index_t const F = up_.out();
        std::array<index_t, 3> const seen{batch[0], batch[1], F};
        s.wide.resize({x.shape(0), F});
        auto const flat = [](tensor<S, 2>& t) { return view<S, 1>(t.data(), {t.size()}); };
        auto const show = [&](auto site, tensor<S, 2>& t) { watch(o, site, layer, (*t).reshaped(seen)); };
        if (gate_.out() > 0) {
            s.gate.resize(s.wide.shape());
            gate_.forward(x, s.gate);
            show(site::gate_out{}, s.gate);
            activate<Device, S>(act_, flat(s.gate), flat(s.gate));
            show(site::act_out{}, s.gate);
            up_.forward(x, s.wide);
            show(site::mlp_pre{}, s.wide);
            multiply_by(Device{}, view<S const, 1>(flat(s.gate)), flat(s.wide));
        } else {
            up_.forward(x, s.wide);
            show(site::mlp_pre{}, s.wide);
            activate<Device, S>(act_, flat(s.wide), flat(s.wide));
            show(site::act_out{}, s.wide);
        }
        show(site::mlp_post{}, s.wide);
        down_.forward(s.wide, y);
    }

    void release() const {
        for (auto const* w : {&gate_, &up_, &down_}) w->release();
    }

private:
    activation act_ = activation::silu;
    stored_linear<Device> gate_, up_, down_;
};

}  // namespace attnlab
