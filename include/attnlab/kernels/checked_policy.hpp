#pragma once
#include <string_view>
#include <tuple>
#include <vector>

#include <attnlab/kernels/attention_call.hpp>
#include <attnlab/kernels/cpu/attention.hpp>
#include <attnlab/kernels/ref/attention.hpp>

/// \file
/// A policy as a value: what the checks ask of it. This is compiled for each policy, the checks once (kernels/check_policy.hpp).

namespace attnlab {

struct checked_policy {
    std::vector<std::string_view> parameter_names;
    std::vector<initializer> first_values;   ///< of each parameter
    bool reads_input, reads_documents;
    bool stops_gradient;    ///< differences are no test of its gradients
    bool keys_have_heads;   ///< queries cannot be grouped
    bool (*causal)(index_t T);   ///< whether no query of T sees a later key, documents of 7 tokens
    std::vector<index_t> (*parameter_sizes)(head_sizes);
    attention_results<float> (*on_device)(attention_inputs const&, attention_layout);
    attention_results<double> (*on_ref)(attention_inputs const&, attention_layout);
};

namespace detail {
inline constexpr index_t document_length = 7;   // of the inputs that checks draw

/// Whether no query of T sees a later key.
template <class Mask>
bool is_causal(index_t T) {
    bool causal = true;
    for (index_t i = 0; i < T; ++i)
        visible_keys<Mask>(i, T, i - i % document_length).each([&](index_t j) { causal = causal && j <= i; });
    return causal;
}
}  // namespace detail

/// Compiles `Policy` for a device and for the reference. The device's kernels are to be included (for `emulated_cuda`, the CUDA kernels run on the
/// host, <attnlab/kernels/cuda/kernels.hpp>).
template <class Policy, class Device = cpu>
checked_policy make_checked() {
    using mask = typename Policy::mask;
    checked_policy p{{Policy::parameter_names.begin(), Policy::parameter_names.end()}, {}, Policy::reads_input, reads_documents<mask>,
                     Policy::stops_gradient, Policy::keys_have_heads, detail::is_causal<mask>, parameter_sizes<Policy>,
                     run_attention<Policy, Device, false>, run_attention<Policy, ref, false>};
    std::apply([&](auto const&... e) { (p.first_values.push_back(e.init), ...); }, Policy::parameters);
    return p;
}

}  // namespace attnlab
