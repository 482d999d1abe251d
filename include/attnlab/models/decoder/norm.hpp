#pragma once
#include <string>

#include <attnlab/core/buffer.hpp>
#include <attnlab/models/decoder/description.hpp>
#include <attnlab/models/decoder/stored_linear.hpp>

namespace attnlab {

/// A norm over rows, of either form, with stored weights.
template <class Device>
class stored_norm {
    using S = typename Device::scalar;

public:
    stored_norm() = default;
    /// No name: no norm, and `forward` must not be called.
    stored_norm(model_folder const& from, std::string const& prefix, std::string const& name, norm_form const& form, index_t width)
        : form_(form), there_(!name.empty()) {
        if (there_ && form.weight) weight_ = values_of<S>(from.tensor(prefix + name + ".weight", {width}));
        if (there_ && form.bias) bias_ = values_of<S>(from.tensor(prefix + name + ".bias", {width}));
        if (weight_.empty()) weight_.assign(static_cast<std::size_t>(width), S(1) - static_cast<S>(form.offset));
    }

    explicit operator bool() const { return there_; }

    /// y may be x.
    void forward(view<S const, 2> x, view<S, 2> y) const {
        S const eps = static_cast<S>(form_.eps);
        if (form_.which == norm_form::kind::rms) return rms_norm_forward(Device{}, x, weight_.data(), static_cast<S>(form_.offset), eps, y);
        tensor<S, 2> moments({2, x.shape(0)});   // that the way back would want
        layer_norm_forward(Device{}, x, weight_.data(), bias_.empty() ? nullptr : bias_.data(), eps, y, moments.data(), moments.data() + x.shape(0));
    }

private:
    norm_form form_;
    bool there_ = false;
    buffer<S> weight_, bias_;
};

}  // namespace attnlab
