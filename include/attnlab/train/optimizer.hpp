#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/train/array_operations.hpp>

/// \file
/// AdamW and SGD with momentum, in PyTorch's order of operations, so that a run can be laid beside one of nanoGPT. An optimizer
/// sees a list of parameters and no layer.

namespace attnlab {

/// A learning rate of its own for some parameters: `{"k_bias", 10}` multiplies the rate of each `k_bias` and `<...>.k_bias`.
struct rate_factor {
    std::string name;
    double factor = 1;
};

/// nanoGPT's names and defaults.
struct optimizer_settings {
    std::string optim_name = "adam";  ///< adam: AdamW (Loshchilov, Hutter 2019); gdm: SGD with momentum beta1
    double weight_decay = 0.1;        ///< on parameters with `decay`; adam: decoupled; gdm: added to the gradient (L2)
    double beta1 = 0.9;
    double beta2 = 0.95;
    double epsilon = 1e-8;
    std::vector<rate_factor> rate_factors = {};
};

/// An array of a checkpoint. Optimizer state has the shape of the parameter it belongs to: "optimizer.m.transformer.wte.weight".
template <class T>
struct named_array {
    std::string name;
    std::vector<index_t> shape;
    std::span<T> values;
};

/// Moves parameters along their gradients. Keeps a pointer to the parameters: they must outlive it.
template <class T>
class optimizer {
public:
    /// \param on  where the parameters lie
    /// \throws usage_error for an unknown optim_name, a number out of range, a rate factor that no parameter has
    optimizer(parameter_list<T> const& parameters, optimizer_settings settings, array_operations<T> const& on = host_operations<T>)
        : parameters_(&parameters), on_(&on), settings_(std::move(settings)), adam_(settings_.optim_name == "adam") {
        auto const expect = [](bool holds, char const* field, auto const& value, char const* expected) {
            if (!holds) fail<usage_error>(field, ": '", value, "': expected ", expected);
        };
        auto const fraction = [](double x) { return 0 <= x && x < 1; };
        expect(adam_ || settings_.optim_name == "gdm", "optim_name", settings_.optim_name, "adam or gdm");
        expect(fraction(settings_.beta1), "beta1", settings_.beta1, "a number from 0 to below 1");
        expect(fraction(settings_.beta2), "beta2", settings_.beta2, "a number from 0 to below 1");
        expect(settings_.weight_decay >= 0, "weight_decay", settings_.weight_decay, "0 or more");
        expect(settings_.epsilon > 0, "epsilon", settings_.epsilon, "more than 0");

        rate_factors_.assign(parameters.items().size(), 1.0);
        for (auto const& wanted : settings_.rate_factors) {
            bool found = false;
            for (std::size_t i = 0; i < rate_factors_.size(); ++i)
                if (is_or_ends_in(parameters.items()[i]->name, wanted.name)) {
                    rate_factors_[i] = wanted.factor;
                    found = true;
                }
            if (!found) fail<usage_error>("rate_factors: '", wanted.name, "': no parameter has this name or ending");
        }
        for (auto const& p : parameters) {
            first_.emplace_back(static_cast<std::size_t>(p->size()), T{0});
            if (adam_) second_.emplace_back(static_cast<std::size_t>(p->size()), T{0});
        }
    }

    /// One step. The gradients are read as if multiplied by `gradient_scale` (see `clip_factor`); they are not changed.
    void step(double rate, double gradient_scale = 1) {
        ++steps_;
        if (adam_)
            on_->adamw_step(updates<adamw_rule<T>>([&](parameter<T> const& p, double own) { return adamw(p, own, gradient_scale); }, rate));
        else
            on_->momentum_step(updates<momentum_rule<T>>([&](parameter<T> const& p, double own) { return momentum(p, own, gradient_scale); }, rate));
        on_->synchronize();
    }

    /// Steps taken; bias correction depends on it, so a checkpoint keeps it.
    std::int64_t steps() const { return steps_; }
    void set_steps(std::int64_t steps) { steps_ = steps; }

    optimizer_settings const& settings() const { return settings_; }

    /// The arrays a checkpoint writes and fills: m and v of adam, momentum of gdm.
    std::vector<named_array<T>> state() {
        std::vector<named_array<T>> out;
        auto const list = [&](std::string const& prefix, std::vector<buffer<T>>& slot) {
            for (std::size_t i = 0; i < slot.size(); ++i) {
                auto const& p = *parameters_->items()[i];
                out.push_back({prefix + p.name, p.shape, slot[i]});
            }
        };
        list(adam_ ? "optimizer.m." : "optimizer.momentum.", first_);
        list("optimizer.v.", second_);
        return out;
    }

private:
    static bool is_or_ends_in(std::string_view name, std::string_view ending) {
        if (!name.ends_with(ending)) return false;
        return name.size() == ending.size() || name[name.size() - ending.size() - 1] == '.';
    }

    /// `rule(parameter, its rate)` for all parameters.
    template <class Rule, class F>
    std::vector<parameter_update<Rule, T>> updates(F rule, double rate) {
        std::vector<parameter_update<Rule, T>> out;
        for (std::size_t i = 0; i < parameters_->items().size(); ++i) {
            auto const& p = *parameters_->items()[i];
            out.push_back({rule(p, rate * rate_factors_[i]), p.size(), p.gradient.data(), p.value.data(), first_[i].data(), adam_ ? second_[i].data() : nullptr});
        }
        return out;
    }
    adamw_rule<T> adamw(parameter<T> const& p, double rate, double scale) const {
        double const t = static_cast<double>(steps_);
        double const correction1 = 1 - std::pow(settings_.beta1, t), correction2 = 1 - std::pow(settings_.beta2, t);
        return {.gradient_scale = static_cast<T>(scale),
                .step = static_cast<T>(rate / correction1),
                .keep = static_cast<T>(p.decay ? 1 - rate * settings_.weight_decay : 1),
                .take1 = static_cast<T>(1 - settings_.beta1),
                .take2 = static_cast<T>(1 - settings_.beta2),
                .beta2 = static_cast<T>(settings_.beta2),
                .root2 = static_cast<T>(std::sqrt(correction2)),
                .epsilon = static_cast<T>(settings_.epsilon)};
    }
    momentum_rule<T> momentum(parameter<T> const& p, double rate, double scale) const {
        return {static_cast<T>(scale), static_cast<T>(rate), static_cast<T>(settings_.beta1), static_cast<T>(p.decay ? settings_.weight_decay : 0)};
    }

    parameter_list<T> const* parameters_;
    array_operations<T> const* on_;
    optimizer_settings settings_;
    bool adam_;
    std::vector<double> rate_factors_;       // one per parameter
    std::vector<buffer<T>> first_, second_;  // m, v; or momentum and nothing
    std::int64_t steps_ = 0;
};

/// What PyTorch's clip_grad_norm_ multiplies gradients of that norm by; 1 where `max_norm` is 0 (no clipping) or not reached.
inline double clip_factor(double norm, double max_norm) { return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0; }

}  // namespace attnlab
