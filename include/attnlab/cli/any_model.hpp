#pragma once
#include <cstdint>
#include <vector>

#include <attnlab/analysis/interventions/attention_changer.hpp>
#include <attnlab/cli/scale_policy.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/models/linear_weights.hpp>
#include <attnlab/observe/any_observer.hpp>

/// \file
/// A model as a value. Commands are compiled once and see a model through this interface; only the model itself is compiled for each
/// policy, in seconds. A virtual call a batch costs nothing.

namespace attnlab {

/// An observer of the sites that commands look at, whatever it does with them: so that a model is compiled for one observer, not for each.
class model_watcher {
public:
    using sites = site_list<site::resid_pre, site::v, site::pattern, site::slot, site::gate, site::resid_post>;
    virtual ~model_watcher() = default;
    virtual void operator()(site::resid_pre, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::v, index_t layer, view<float const, 4> x) = 0;
    virtual void operator()(site::pattern, index_t layer, view<float const, 4> x) = 0;
    virtual void operator()(site::slot, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::gate, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::resid_post, index_t layer, view<float const, 3> x) = 0;
};

/// `Observer` as a `model_watcher`: it sees the sites that it wants.
template <observer Observer>
class watching final : public model_watcher {
public:
    explicit watching(Observer& o) : o_(o) {}
    void operator()(site::resid_pre s, index_t layer, view<float const, 3> x) override { watch(o_, s, layer, x); }
    void operator()(site::v s, index_t layer, view<float const, 4> x) override { watch(o_, s, layer, x); }
    void operator()(site::pattern s, index_t layer, view<float const, 4> x) override { watch(o_, s, layer, x); }
    void operator()(site::slot s, index_t layer, view<float const, 3> x) override { watch(o_, s, layer, x); }
    void operator()(site::gate s, index_t layer, view<float const, 3> x) override { watch(o_, s, layer, x); }
    void operator()(site::resid_post s, index_t layer, view<float const, 3> x) override { watch(o_, s, layer, x); }

private:
    Observer& o_;
};

/// An observer of attention statistics, the by-products of the kernel's tiles.
class statistics_watcher {
public:
    using sites = site_list<site::pattern_sums, site::pattern_entropy, site::largest_score, site::pattern_columns>;
    std::vector<index_t> keys = {0};   ///< whose columns are wanted
    virtual ~statistics_watcher() = default;
    virtual void operator()(site::pattern_sums, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::pattern_entropy, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::largest_score, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::pattern_columns, index_t layer, view<float const, 4> x) = 0;
};

/// An observer of what training is looked at by: all of it by-products of a pass, nothing of size T x T.
class step_watcher {
public:
    using sites = site_list<site::resid_pre, site::v, site::pattern_sums, site::pattern_entropy, site::largest_score, site::resid_post>;
    virtual ~step_watcher() = default;
    virtual void operator()(site::resid_pre, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::v, index_t layer, view<float const, 4> x) = 0;
    virtual void operator()(site::pattern_sums, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::pattern_entropy, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::largest_score, index_t layer, view<float const, 3> x) = 0;
    virtual void operator()(site::resid_post, index_t layer, view<float const, 3> x) = 0;
};

/// Changes what the Linears of the blocks are given, (B, T, C) or (B, T, 4C).
class input_changer {
public:
    using alters = site::linear_inputs;
    virtual ~input_changer() = default;
    virtual void change(index_t layer, view<float, 3> x) = 0;
    template <class Site>
    void operator()(Site, index_t layer, view<float, 3> x) {
        change(layer, x);
    }
};

/// A GPT under some policy.
class any_model {
public:
    using scalar = float;
    using ids = view<std::int32_t const, 2>;   ///< (B, T)

    virtual ~any_model() = default;
    virtual parameter_list<float>& parameters() = 0;
    virtual std::vector<parameter<float>*> linear_weights() = 0;   ///< of the blocks
    virtual view<float const, 3> logits(ids x) = 0;
    virtual view<float const, 3> logits(ids x, model_watcher& o) = 0;
    virtual view<float const, 3> logits(ids x, statistics_watcher& o) = 0;
    virtual view<float const, 3> logits(ids x, any_observer& o) = 0;
    /// \throws error where `scale_obstacle()` says so
    virtual view<float const, 3> logits(ids x, attention_changer<float>& o) = 0;
    /// Whether its sinks can be read as scales, and attention changed.
    virtual attnlab::scale_obstacle scale_obstacle() const = 0;
    virtual double loss(ids x, ids y) = 0;
    virtual double loss(ids x, ids y, model_watcher& o) = 0;
    virtual double loss(ids x, ids y, step_watcher& o) = 0;
    virtual double loss(ids x, ids y, input_changer& o) = 0;
    virtual double loss_and_gradient(ids x, ids y, double scale) = 0;
};

/// The GPT of one policy.
template <class Policy>
class compiled_model final : public any_model {
public:
    explicit compiled_model(gpt_config const& c) : model_(c) {}
    parameter_list<float>& parameters() override { return model_.parameters(); }
    std::vector<parameter<float>*> linear_weights() override { return attnlab::linear_weights<Policy>(model_.parameters()); }
    view<float const, 3> logits(ids x) override { return model_.logits(x); }
    view<float const, 3> logits(ids x, model_watcher& o) override { return model_.logits(x, o); }
    view<float const, 3> logits(ids x, statistics_watcher& o) override { return model_.logits(x, o); }
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
    double loss(ids x, ids y, model_watcher& o) override { return model_.loss(x, y, o); }
    double loss(ids x, ids y, step_watcher& o) override { return model_.loss(x, y, o); }
    double loss(ids x, ids y, input_changer& o) override { return model_.loss(x, y, o); }
    double loss_and_gradient(ids x, ids y, double scale) override { return model_.loss_and_gradient(x, y, scale); }

private:
    gpt<Policy, cpu> model_;
};

}  // namespace attnlab
