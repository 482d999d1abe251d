#pragma once
#ifdef ATTNLAB_DEVICE_PASS
#include <attnlab/cli/device_pass.hpp>
#else
#include <string>
#include <vector>

#include <attnlab/cli/experiment.hpp>

/// \file
/// What the file with main needs. The commands themselves are in program.hpp, compiled beside it.

namespace attnlab {

/// Runs the command that the arguments name. `reproduce` trains `experiments` where it is not told otherwise; `others` are there for
/// those who name them. Of two of one name the first counts. Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by a signal.
int run_program(int argc, char** argv, std::vector<experiment> experiments, std::vector<experiment> others = {});

/// The six attentions of 2502.06415 (cli/paper_policies.hpp).
std::vector<experiment> paper_experiments();
/// One of them for families (cli/paper_families.hpp).
family_policies paper_policy_for_families(std::string const& name);

/// The same, with what the command `check` asks.
template <class Policy>
experiment make_checked_experiment() {
    auto e = make_experiment<Policy>();
    e.checked = make_checked<Policy>();
#ifdef ATTNLAB_USE_CUDA
    e.checked_on_cuda = make_checked<Policy, cuda>();
#endif
    return e;
}

/// A policy that is compiled for the families of Hugging Face too, so that their models can be trained on under it: some ten seconds more, and
/// three times the kernels for nvcc.
template <class Policy>
struct for_families {};

namespace detail {
template <class Policy>
struct experiment_of {
    static experiment get() { return make_checked_experiment<Policy>(); }
};
template <class Policy>
struct experiment_of<for_families<Policy>> {
    static experiment get() {
        auto e = make_checked_experiment<Policy>();
        e.in_families = compile_for_families<Policy>();
        return e;
    }
};
}  // namespace detail

/// A whole program out of policies: `int main(int argc, char** argv) { return experiment_main<attention<causal, softmax, slot>>(argc, argv); }`.
/// Each is an attention<...>, or for_families<attention<...>>, and named after its joints; `reproduce` compares them with the six of the paper.
template <class... Policies>
int experiment_main(int argc, char** argv) {
    std::vector<experiment> all{detail::experiment_of<Policies>::get()...};
    for (auto& e : paper_experiments()) all.push_back(std::move(e));
    return run_program(argc, argv, std::move(all));
}

}  // namespace attnlab
#endif
