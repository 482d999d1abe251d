#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/cli/any_model.hpp>
#include <attnlab/cli/compiled.hpp>
#include <attnlab/kernels/checked_policy.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/trained/policy.hpp>

/// \file
/// Where a type becomes a value: what programs ask of a policy, compiled.

namespace attnlab {

/// What people read about a policy.
struct policy_card {
    std::string name;
    std::vector<std::string> aliases = {};
    std::string formula = {}, source = {};
};

/// The cpu kernels of a policy.
struct attention_kernels {
    void (*forward)(cpu, attention_problem<float> const&, attention_saved<float>&, heads<float> y);
    void (*backward)(cpu, attention_problem<float> const&, attention_saved<float> const&, heads<float const> y, heads<float const> dy,
                     attention_gradients<float> const&);
    std::vector<index_t> (*parameter_sizes)(head_sizes);
    index_t (*pairs)(index_t T);   ///< how many (query, key) pairs the mask shows in a sequence of T, one document
};

/// A policy compiled: what a program needs of it.
struct experiment {
    policy_card card;
    std::vector<std::string> parameters;   ///< names on disk
    std::function<std::unique_ptr<any_model>(gpt_config const&)> make_model;
    attention_kernels kernels;
    std::optional<checked_policy> checked = {};   ///< for the command `check`; none where a program leaves it to its tests
    std::vector<decoder_policy<cpu>> in_families = {};   ///< in families of Hugging Face, by what these do to scores; empty: for GPTs alone
};

/// All (query, key) pairs that `Mask` shows in a sequence of T.
template <class Mask>
index_t visible_pairs(index_t T) {
    index_t n = 0;
    for (index_t i = 0; i < T; ++i) n += visible_keys<Mask>(i, T, 0).count();
    return n;
}

/// Compiles `Policy`.
template <class Policy>
experiment make_experiment(policy_card card) {
    experiment e{std::move(card), {}, [](gpt_config const& c) -> std::unique_ptr<any_model> { return std::make_unique<compiled_model<Policy>>(c); },
                 {attention_forward<Policy>, attention_backward<Policy>, parameter_sizes<Policy>, visible_pairs<typename Policy::mask>}};
    for (auto name : Policy::parameter_names) e.parameters.emplace_back(name);
    return e;
}

/// Compiles `Policy` for the families of Hugging Face: three times a kernel, since some have ALiBi, or a cap on scores.
template <class Policy>
std::vector<decoder_policy<cpu>> compile_for_families() {
    return {make_decoder_policy<score_form::plain, Policy, cpu>(), make_decoder_policy<score_form::alibi, Policy, cpu>(),
            make_decoder_policy<score_form::capped, Policy, cpu>()};
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
