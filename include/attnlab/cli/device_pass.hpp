#pragma once
#include <utility>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/cli/policy_card.hpp>
#include <attnlab/kernels/cuda/attention.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
#include <attnlab/models/trained/in_family.hpp>

/// \file
/// What nvcc sees of a program's file, which is compiled twice: as C++, with models and commands, and with ATTNLAB_DEVICE_PASS for the kernels of the
/// policies that it names. Here naming a policy (`make_experiment`, `experiment_main`) compiles its kernels and does nothing else; the linker
/// gives them to the models of the first pass.

namespace attnlab {

namespace detail {
inline void const* volatile kept;
/// Compiles a function, though nobody calls it here.
template <class F>
void keep(F* f) {
    kept = reinterpret_cast<void const*>(f);
}
}  // namespace detail

/// Names of its own, for the two passes are linked into one program.
inline namespace device_pass {

struct family_policies {};
struct experiment {
    family_policies in_families;
};

/// The kernels of a policy that is looked at, and not trained.
template <class Policy>
void compile_forward_kernels() {
    using problem = attention_problem<float>;
    using saved = attention_saved<float>;
    detail::keep<void(cuda, problem const&, saved&, stored_heads<float>)>(attention_forward<Policy, cuda>);
    detail::keep<void(cuda, problem const&, saved&, stored_heads<float>, attention_statistics<float>&)>(attention_forward<Policy, cuda>);
}
/// The kernels of a policy.
template <class Policy>
void compile_kernels() {
    compile_forward_kernels<Policy>();
    detail::keep(attention_backward<Policy, cuda>);
}
/// Those of a policy in families of Hugging Face that do this to scores; of none: whatever they do.
template <class Policy, score_form... Forms>
family_policies compile_for_families() {
    if constexpr (sizeof...(Forms) == 0) return compile_for_families<Policy, score_form::plain, score_form::alibi, score_form::capped>();
    (compile_kernels<in_family<Forms, Policy>>(), ...);
    return {};
}

template <class Policy>
struct for_families {};
template <class Policy>
struct kernels_of {
    static void compile() { compile_kernels<Policy>(); }
};
template <class Policy>
struct kernels_of<for_families<Policy>> {
    static void compile() {
        compile_kernels<Policy>();
        compile_for_families<Policy>();
    }
};

template <class Policy>
experiment make_experiment(policy_card const& = {}) {
    compile_kernels<Policy>();
    return {};
}
template <class Policy>
experiment make_checked_experiment() {
    return make_experiment<Policy>();
}
template <class... Policies>
int experiment_main(int, char**) {
    (kernels_of<Policies>::compile(), ...);
    return 0;
}
inline int run_program(int, char**, std::vector<experiment>, std::vector<experiment> = {}) { return 0; }
}  // namespace device_pass

std::vector<experiment> paper_experiments();

}  // namespace attnlab
