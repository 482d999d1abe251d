#pragma once
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include <attnlab/analysis/measure.hpp>
#include <attnlab/cli/benchmark_attention.hpp>
#include <attnlab/compiled.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>
#include <attnlab/observe/record.hpp>

/// \file
/// Where a type becomes a value. Commands are compiled once and see a model through this interface; only the model itself is
/// compiled for each policy, in seconds. A virtual call a batch costs nothing.

namespace attnlab {

/// Keeps the attention maps of a pass.
using pattern_record = record<float, site::pattern>;

/// A GPT under some policy.
class any_model {
public:
    using scalar = float;
    using ids = view<std::int32_t const, 2>;   ///< (B, T)

    virtual ~any_model() = default;
    virtual parameter_list<float>& parameters() = 0;
    virtual view<float const, 3> logits(ids x) = 0;
    virtual view<float const, 3> logits(ids x, measure<float>& o) = 0;
    virtual view<float const, 3> logits(ids x, pattern_record& o) = 0;
    virtual double loss(ids x, ids y) = 0;
    virtual double loss(ids x, ids y, measure<float>& o) = 0;
    virtual double loss_and_gradient(ids x, ids y, double scale) = 0;
};

namespace detail {
template <class Policy>
class compiled_model final : public any_model {
public:
    explicit compiled_model(gpt_config const& c) : model_(c) {}
    parameter_list<float>& parameters() override { return model_.parameters(); }
    view<float const, 3> logits(ids x) override { return model_.logits(x); }
    view<float const, 3> logits(ids x, measure<float>& o) override { return model_.logits(x, o); }
    view<float const, 3> logits(ids x, pattern_record& o) override { return model_.logits(x, o); }
    double loss(ids x, ids y) override { return model_.loss(x, y); }
    double loss(ids x, ids y, measure<float>& o) override { return model_.loss(x, y, o); }
    double loss_and_gradient(ids x, ids y, double scale) override { return model_.loss_and_gradient(x, y, scale); }

private:
    gpt<Policy, cpu> model_;
};
}  // namespace detail

/// What people read about a policy.
struct policy_card {
    std::string name;
    std::vector<std::string> aliases = {};
    std::string formula = {}, source = {};
};

/// A policy compiled: what a program needs of it.
struct experiment {
    policy_card card;
    std::vector<std::string> parameters;   ///< names on disk
    std::function<std::unique_ptr<any_model>(gpt_config const&)> make_model;
    std::function<void(attention_sizes const&, double)> benchmark_attention;
    std::function<bool(std::ostream&)> check = {};   ///< `check_policy`; empty where a program leaves it to its tests
};

/// Compiles `Policy`.
template <class Policy>
experiment make_experiment(policy_card card) {
    experiment e;
    for (auto name : Policy::parameter_names) e.parameters.emplace_back(name);
    e.make_model = [](gpt_config const& c) -> std::unique_ptr<any_model> { return std::make_unique<detail::compiled_model<Policy>>(c); };
    e.benchmark_attention = [name = card.name](attention_sizes const& n, double seconds) { time_attention<Policy>(name, n, seconds); };
    e.card = std::move(card);
    return e;
}

namespace detail {
/// "softmax" for struct attnlab::softmax, as the compiler spells it.
template <class T>
std::string type_name() {
    std::string_view const f = __PRETTY_FUNCTION__;
    auto const from = f.find("T = ") + 4;
    auto name = f.substr(from, f.find_first_of(";]", from) - from);
    if (auto const arguments = name.find('<'); arguments != name.npos) name = name.substr(0, arguments);
    if (auto const scope = name.rfind("::"); scope != name.npos) name = name.substr(scope + 2);
    return std::string(name);
}
template <class Policy>
struct name_of;
template <class... Joints>
struct name_of<attention<Joints...>> {
    /// What sets the policy apart from causal softmax: "alibi+head_gate" for attention<alibi, causal, softmax, head_gate>.
    static std::string get() {
        std::string name;
        auto const add = [&](std::string const& joint) {
            if (joint != "causal" && joint != "softmax") name += (name.empty() ? "" : "+") + joint;
        };
        (add(type_name<Joints>()), ...);
        return name.empty() ? "softmax" : name;
    }
};
}  // namespace detail

/// An experiment named after the policy's joints.
template <class Policy>
experiment make_experiment() {
    return make_experiment<Policy>(policy_card{detail::name_of<Policy>::get()});
}

}  // namespace attnlab
