#pragma once
#include <string>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/models/decoder/description.hpp>

namespace attnlab {

/// A norm over rows, of either form, that learns.
template <class Device>
class trained_norm {
    using S = typename Device::scalar;

public:
    /// What backward needs besides the input.
    struct saved {
        tensor<S, 1> mean, rstd;  ///< (N), of a LayerNorm
    };

    trained_norm() = default;
    /// No name: no norm, and `forward` must not be called.
    trained_norm(parameter_list<S>& all, std::string const& prefix, std::string const& name, norm_form const& form, index_t width)
        : form_(form), there_(!name.empty()) {
        if (!there_) return;
        if (form.weight)
            weight_ = all.add(prefix + name + ".weight", {width}, constant(1 - form.offset));
        else
            constant_.assign(static_cast<std::size_t>(2 * width), S(1) - static_cast<S>(form.offset));
        if (form.bias) bias_ = all.add(prefix + name + ".bias", {width}, zeros);
    }

    explicit operator bool() const { return there_; }

    /// y may be x where nothing goes back.
    void forward(view<S const, 2> x, view<S, 2> y, saved& s) const {
        if (is_rms()) return rms_norm_forward(Device{}, x, weight(), offset(), eps(), y);
        s.mean.resize({x.shape(0)}), s.rstd.resize({x.shape(0)});
        layer_norm_forward(Device{}, x, weight(), bias_ ? bias_->value.data() : nullptr, eps(), y, s.mean.data(), s.rstd.data());
    }
    /// Adds to dx.
    void backward(view<S const, 2> dy, view<S const, 2> x, saved const& s, view<S, 2> dx) {
        S* const dweight = weight_ ? weight_->gradient.data() : constant_.data() + x.shape(1);  // whose gradient nobody reads
        if (is_rms()) return rms_norm_backward(Device{}, dy, x, weight(), offset(), eps(), dx, dweight);
        layer_norm_backward(Device{}, dy, x, weight(), s.mean.data(), s.rstd.data(), dx, dweight,
                            bias_ ? bias_->gradient.data() : nullptr);
    }

private:
    bool is_rms() const { return form_.which == norm_form::kind::rms; }
    S eps() const { return static_cast<S>(form_.eps); }
    S offset() const { return static_cast<S>(form_.offset); }
    S const* weight() const { return weight_ ? weight_->value.data() : constant_.data(); }

    norm_form form_;
    bool there_ = false;
    parameter<S>*weight_ = nullptr, *bias_ = nullptr;
    buffer<S> constant_;  ///< (2, C): what stands in for a weight, and for its gradient
};

}  // namespace attnlab
