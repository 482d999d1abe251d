#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <attnlab/core/device.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/optimizer_rules.hpp>
#include <attnlab/train/sweep.hpp>

/// \file
/// What the training loop does to whole arrays, where these lie: on the host, or on a device. A table of functions, for the loop knows a model's
/// device at run time only.

namespace attnlab {

template <class T>
struct array_operations {
    void (*zero)(std::span<T>);
    /// Euclidean norm of all gradients together.
    double (*gradient_norm)(parameter_list<T>&);
    /// Rules over parameters.
    void (*adamw_step)(std::span<parameter_update<adamw_rule<T>, T> const>);
    void (*momentum_step)(std::span<parameter_update<momentum_rule<T>, T> const>);
    /// Waits for all of these.
    void (*synchronize)();
};

/// Euclidean norm of all gradients together. Blocks of fixed size are summed in double and then in order: the same bits for any
/// number of threads.
template <class T>
double gradient_norm(parameter_list<T> const& parameters) {
    constexpr index_t block = 4096;
    double total = 0;
    std::vector<double> sums;
    for (auto const& p : parameters) {
        index_t const n = p->size(), blocks = (n + block - 1) / block;
        T const* g = p->gradient.data();
        sums.assign(static_cast<std::size_t>(blocks), 0);
#pragma omp parallel for schedule(static) if (n >= sweep_threads_from)
        for (index_t b = 0; b < blocks; ++b) {
            double sum = 0;
            index_t const end = std::min(n, (b + 1) * block);
#pragma omp simd reduction(+ : sum)
            for (index_t i = b * block; i < end; ++i) sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
            sums[static_cast<std::size_t>(b)] = sum;
        }
        for (double s : sums) total += s;
    }
    return std::sqrt(total);
}

/// On the host, where the rules run on registers.
template <class T>
inline constexpr array_operations<T> host_operations{
    [](std::span<T> x) { std::fill(x.begin(), x.end(), T{0}); },
    [](parameter_list<T>& p) { return gradient_norm(p); },
    [](std::span<parameter_update<adamw_rule<T>, T> const> all) {
        for (auto const& u : all) sweep(u.n, u.gradient, u.rule, u.value, u.first, u.second);
    },
    [](std::span<parameter_update<momentum_rule<T>, T> const> all) {
        for (auto const& u : all) sweep(u.n, u.gradient, u.rule, u.value, u.first);
    },
    [] {}};

/// By the kernels of a device.
template <cuda_device Device>
inline constexpr array_operations<float> device_operations{
    [](std::span<float> x) { zero(Device{}, view<float, 1>(x.data(), {static_cast<index_t>(x.size())})); },
    [](parameter_list<float>& p) {   // the gaps between parameters are 0
        auto const all = p.gradients();
        return std::sqrt(sum_of_squares(Device{}, view<float const, 1>(all.data(), {static_cast<index_t>(all.size())})));
    },
    [](std::span<parameter_update<adamw_rule<float>, float> const> all) { adamw_step(Device{}, all); },
    [](std::span<parameter_update<momentum_rule<float>, float> const> all) { momentum_step(Device{}, all); },
    [] { synchronize(Device{}); }};

/// Those of the device that a model is on: it says so by `operations()`, or by its type `device`; else it is on the host.
template <class Model>
array_operations<typename Model::scalar> const& operations_of([[maybe_unused]] Model const& m) {
    if constexpr (requires { m.operations(); })
        return m.operations();
    else {
        if constexpr (requires { typename Model::device; })
            if constexpr (is_cuda<typename Model::device>) return device_operations<typename Model::device>;
        return host_operations<typename Model::scalar>;
    }
}

}  // namespace attnlab
