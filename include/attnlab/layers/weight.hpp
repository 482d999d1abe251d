#pragma once
#include <array>
#include <type_traits>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/core/precision.hpp>
#include <attnlab/core/tfloat32.hpp>

namespace attnlab {

/// A parameter (O, I) as a factor of products: as it is, or rounded once on the way forward for all products until the next.
template <class Device>
class weight {
    using S = typename Device::scalar;

public:
    weight(parameter<S>* p, precision products) : parameter_(p), products_(products) {}

    /// To be called before the products of a step: rounds what was learned since.
    void update() {
        if constexpr (std::is_same_v<S, float>)
            if (products_ == precision::bfloat16) {
                rounded_.resize({parameter_->shape[0], parameter_->shape[1]});
                round(Device{}, view<S const, 1>(parameter_->value.data(), {rounded_.size()}), view<bfloat16, 1>(rounded_.data(), {rounded_.size()}));
            }
    }

    /// `product(w)`, w a view (O, I) of what is multiplied with.
    template <class Product>
    void multiply(Product product) const {
        if constexpr (std::is_same_v<S, float>)
            if (products_ == precision::bfloat16) return product(view<bfloat16 const, 2>(rounded_));
        if constexpr (is_cuda<Device>)
            if (products_ == precision::tfloat32)
                return product(view<tfloat32 const, 2>(reinterpret_cast<tfloat32 const*>(parameter_->value.data()), shape()));
        product(view<S const, 2>(parameter_->value.data(), shape()));
    }

    /// What products of bfloat16 read.
    view<bfloat16 const, 2> rounded() const { return rounded_; }
    view<S, 2> gradient() const { return {parameter_->gradient.data(), shape()}; }

private:
    std::array<index_t, 2> shape() const { return {parameter_->shape[0], parameter_->shape[1]}; }

    parameter<S>* parameter_;
    precision products_;
    tensor<bfloat16, 2> rounded_;
};

}  // namespace attnlab
