#pragma once
#include <algorithm>
#include <chrono>

#include <attnlab/attention/library.hpp>
#include <attnlab/cli/attention_arrays.hpp>
#include <attnlab/kernels/attention_call.hpp>
#include <attnlab/kernels/cuda/attention.hpp>

/// \file
/// One policy's kernels on a GPU, timed as a layer of a model calls them: for benchmarks/policy_on_gpu.py, which compiles a file for each policy.

/// Least seconds of a call of forward, and of forward and backward. No more than ten calls wait in the GPU's queue.
struct call_times {
    double forward, both;
};

/// In bfloat16, on memory that use_gpu() has set up.
template <class Policy>
call_times time_policy(attnlab::attention_sizes const& n, double seconds) {
    using namespace attnlab;
    attention_arrays a(n, precision::bfloat16, parameter_sizes<Policy>);
    auto const least = [&](auto call) {
        constexpr int calls = 10;
        using clock = std::chrono::steady_clock;
        double found = 1e9;
        for (auto const end = clock::now() + std::chrono::duration<double>(seconds); found == 1e9 || clock::now() < end;) {
            synchronize(attnlab::cuda{});
            auto const begin = clock::now();
            for (int i = 0; i < calls; ++i) call();
            synchronize(attnlab::cuda{});
            found = std::min(found, std::chrono::duration<double>(clock::now() - begin).count() / calls);
        }
        return found;
    };
    auto const forward = [&] { attention_forward<Policy>(attnlab::cuda{}, a.problem, a.saved, a.result); };
    auto const both = [&] { forward(), attention_backward<Policy>(attnlab::cuda{}, a.problem, a.saved, a.result, a.upstream, a.gradients); };
    both();   // memory moves to the GPU, and kernels are loaded
    return {least(forward), least(both)};
}
