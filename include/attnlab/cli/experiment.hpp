#pragma once
#ifdef ATTNLAB_DEVICE_PASS
#include <attnlab/cli/device_pass.hpp>
#else
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/cli/any_model.hpp>
#include <attnlab/cli/compiled.hpp>
#include <attnlab/cli/devices.hpp>
#include <attnlab/cli/policy_card.hpp>
#include <attnlab/kernels/checked_policy.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/trained/policy.hpp>

/// \file
/// Where a type becomes a value: what programs ask of a policy, compiled.

namespace attnlab {

/// The kernels of a policy on a device.
struct attention_kernels {
    void (*forward)(attention_problem<float> const&, attention_saved<float>&, stored_heads<float> y);
    void (*backward)(attention_problem<float> const&, attention_saved<float> const&, stored_heads<float const> y, stored_heads<float const> dy,
                     attention_gradients<float> const&);
    void (*synchronize)();   ///< waits for both
    std::vector<index_t> (*parameter_sizes)(head_sizes);
    index_t (*pairs)(index_t T);   ///< how many (query, key) pairs the mask shows in a sequence of T, one document
};

/// A policy on a device.
struct placed_policy {
    std::unique_ptr<any_model> (*make_model)(gpt_config const&) = nullptr;
    attention_kernels kernels = {};
};

/// A policy in families of Hugging Face, by what these do to scores.
struct family_policies {
    std::vector<decoder_policy<cpu>> on_cpu;
    std::vector<decoder_policy<cuda>> on_cuda;   ///< empty in a program built without CUDA

    bool empty() const { return on_cpu.empty(); }
};

/// A policy compiled: what a program needs of it.
struct experiment {
    policy_card card;
    std::vector<std::string> parameters;   ///< names on disk
    placed_policy on_cpu, on_cuda = {};    ///< on_cuda is empty in a program built without CUDA
    std::optional<checked_policy> checked = {}, checked_on_cuda = {};   ///< for the command `check`; none where a program leaves it to its tests
    family_policies in_families = {};      ///< empty: for GPTs alone

    /// \throws usage_error, error where the device is not to be had
    placed_policy const& on(std::string const& device) const {
        use_device(device);
        return device == "cuda" ? on_cuda : on_cpu;
    }
    std::unique_ptr<any_model> make_model(gpt_config const& c, std::string const& device = "cpu") const { return on(device).make_model(c); }
};

/// All (query, key) pairs that `Mask` shows in a sequence of T.
template <class Mask>
index_t visible_pairs(index_t T) {
    index_t n = 0;
    for (index_t i = 0; i < T; ++i) n += visible_keys<Mask>(i, T, 0).count();
    return n;
}

namespace detail {
/// Whether a joint's name is its file's alone.
template <class Policy>
consteval bool is_anonymous() {
    std::string_view const name = __PRETTY_FUNCTION__;
    for (auto const* hidden : {"{anonymous}", "(anonymous ", "()::"})
        if (name.substr(name.find('=')).find(hidden) != name.npos) return true;
    return false;
}
}  // namespace detail

/// Compiles `Policy` on a device.
template <class Policy, class Device>
placed_policy place_policy() {
    return {[](gpt_config const& c) -> std::unique_ptr<any_model> { return std::make_unique<compiled_model<Policy, Device>>(c); },
            {[](auto const& p, auto& saved, auto y) { attention_forward<Policy>(Device{}, p, saved, y); },
             [](auto const& p, auto const& saved, auto y, auto dy, auto const& to) { attention_backward<Policy>(Device{}, p, saved, y, dy, to); },
             [] { synchronize(Device{}); }, parameter_sizes<Policy>, visible_pairs<typename Policy::mask>}};
}

/// Compiles `Policy`: for the cpu, and where the program is built with CUDA for a GPU.
template <class Policy>
experiment make_experiment(policy_card card) {
    experiment e{std::move(card), {}, place_policy<Policy, cpu>()};
#ifdef ATTNLAB_USE_CUDA
    static_assert(!detail::is_anonymous<Policy>(), "cuda: nvcc compiles a policy's kernels in a file of their own: expected joints with names that two "
                                                   "files can share, in no anonymous namespace and in no function");
    e.on_cuda = place_policy<Policy, cuda>();
#endif
    for (auto name : Policy::parameter_names) e.parameters.emplace_back(name);
    return e;
}

namespace detail {
template <class Policy, class Device, score_form... Forms>
std::vector<decoder_policy<Device>> in_families_of_forms() {
    return {make_decoder_policy<Forms, Policy, Device>()...};
}
template <class Policy, class Device>
std::vector<decoder_policy<Device>> in_all_families() {
    return in_families_of_forms<Policy, Device, score_form::plain, score_form::alibi, score_form::capped>();
}
}  // namespace detail

/// Compiles `Policy` for the families of Hugging Face: three times a kernel, since some have ALiBi, or a cap on scores. nvcc takes minutes for
/// each: for a GPU it compiles those of `OnGpu` alone, where some are named.
template <class Policy, score_form... OnGpu>
family_policies compile_for_families() {
    family_policies out{detail::in_all_families<Policy, cpu>(), {}};
#ifdef ATTNLAB_USE_CUDA
    if constexpr (sizeof...(OnGpu) > 0) out.on_cuda = detail::in_families_of_forms<Policy, cuda, OnGpu...>();
    else out.on_cuda = detail::in_all_families<Policy, cuda>();
#endif
    return out;
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
#endif
