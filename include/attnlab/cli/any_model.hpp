#pragma once
#include <cstdint>
#include <type_traits>
#include <vector>

#include <attnlab/analysis/interventions/attention_changer.hpp>
#include <attnlab/cli/scale_policy.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/models/decoder/description.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/models/linear_weights.hpp>
#include <attnlab/observe/any_observer.hpp>
#include <attnlab/train/array_operations.hpp>

/// \file
/// A model as a value. Commands are compiled once and see a model through this interface; only the model itself is compiled for each
/// policy, in seconds. A virtual call a batch costs nothing.

namespace attnlab {

/// A GPT, or a decoder of a Hugging Face family, under some policy.
class any_model {
public:
    using scalar = float;
    using ids = view<std::int32_t const, 2>;   ///< (B, T)

    virtual ~any_model() = default;
    virtual parameter_list<float>& parameters() = 0;
    virtual std::vector<parameter<float>*> linear_weights() = 0;   ///< of the blocks
    /// What its family's config.json says; null: it is a GPT of attnlab's own.
    virtual decoder_description const* family() const { return nullptr; }
    /// Those parameters of a family's decoder that its policy adds.
    virtual std::vector<parameter<float>*> learned_by_policy() const { return {}; }
    virtual view<float const, 3> logits(ids x) = 0;
    virtual view<float const, 3> logits(ids x, any_observer& o) = 0;
    /// \throws error where `scale_obstacle()` says so
    virtual view<float const, 3> logits(ids x, attention_changer<float>& o) = 0;
    /// Whether its sinks can be read as scales, and attention changed.
    virtual attnlab::scale_obstacle scale_obstacle() const = 0;
    virtual double loss(ids x, ids y) = 0;
    virtual double loss(ids x, ids y, any_observer& o) = 0;
    virtual double loss_and_gradient(ids x, ids y, double scale, gradients_done const& done) = 0;
    double loss_and_gradient(ids x, ids y, double scale) { return loss_and_gradient(x, y, scale, {}); }
    /// On whole arrays, where the parameters lie.
    virtual array_operations<float> const& operations() const = 0;

    /// With an observer whose type states its sites.
    template <observer Observer>
        requires(!std::is_base_of_v<any_observer, Observer> && !std::is_base_of_v<attention_changer<float>, Observer>)
    view<float const, 3> logits(ids x, Observer& o) {
        asking<Observer> at_run_time(o);
        return logits(x, static_cast<any_observer&>(at_run_time));
    }
    template <observer Observer>
        requires(!std::is_base_of_v<any_observer, Observer>)
    double loss(ids x, ids y, Observer& o) {
        asking<Observer> at_run_time(o);
        return loss(x, y, static_cast<any_observer&>(at_run_time));
    }
};

/// The GPT of one policy, on a device.
template <class Policy, class Device>
class compiled_model final : public any_model {
public:
    explicit compiled_model(gpt_config const& c) : model_(c) {}
    parameter_list<float>& parameters() override { return model_.parameters(); }
    std::vector<parameter<float>*> linear_weights() override { return attnlab::linear_weights<Policy>(model_.parameters()); }
    view<float const, 3> logits(ids x) override { return model_.logits(x); }
    view<float const, 3> logits(ids x, any_observer& o) override { return model_.logits(x, o); }
    view<float const, 3> logits([[maybe_unused]] ids x, [[maybe_unused]] attention_changer<float>& o) override {
        if constexpr (obstacle_to_scale<Policy> == attnlab::scale_obstacle::none) return model_.logits(x, o);
        else fail("this policy's attention is not to be changed: ", words(scale_obstacle()));
    }
    attnlab::scale_obstacle scale_obstacle() const override {
        if (obstacle_to_scale<Policy> != attnlab::scale_obstacle::none) return obstacle_to_scale<Policy>;
        return model_.config().kv_heads() == model_.config().n_head ? attnlab::scale_obstacle::none : attnlab::scale_obstacle::grouped;
    }
    double loss(ids x, ids y) override { return model_.loss(x, y); }
    double loss(ids x, ids y, any_observer& o) override { return model_.loss(x, y, o); }
    using any_model::loss_and_gradient;
    double loss_and_gradient(ids x, ids y, double scale, gradients_done const& done) override { return model_.loss_and_gradient(x, y, scale, done); }

    array_operations<float> const& operations() const override { return operations_of(model_); }

private:
    gpt<Policy, Device> model_;
};

}  // namespace attnlab
