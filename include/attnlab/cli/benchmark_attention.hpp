#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <omp.h>

#include <attnlab/cli/experiment.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/rng.hpp>

/// \file
/// Attention alone, timed: lines `name value unit`, in the spelling that scripts timing other programs use.

namespace attnlab {

/// B, H, T, D of a call.
struct attention_sizes {
    index_t batch = 1, heads = 12, length = 1024, head_size = 64;
};

namespace detail {

/// Least and median seconds of calls for about the time given, after one that is not counted.
template <class F>
std::pair<double, double> time_calls(double budget, F f) {
    using clock = std::chrono::steady_clock;
    f();
    std::vector<double> times;
    for (auto const begin = clock::now(); times.size() < 5 || std::chrono::duration<double>(clock::now() - begin).count() < budget;) {
        auto const start = clock::now();
        f();
        times.push_back(std::chrono::duration<double>(clock::now() - start).count());
    }
    std::sort(times.begin(), times.end());
    return {times.front(), times[times.size() / 2]};
}

inline void print_times(std::string const& name, std::pair<double, double> t) {
    std::cout << name << ".min " << t.first * 1e3 << " ms\n" << name << ".median " << t.second * 1e3 << " ms" << std::endl;
}

inline void fill_random(float* x, index_t n, char const* name, double deviation = 1) {
    auto const k = rng::stream(1, name);
    for (index_t i = 0; i < n; ++i) x[i] = static_cast<float>(deviation * rng::normal(k, static_cast<std::uint64_t>(i)));
}

}  // namespace detail

/// Attention alone: forward, and forward with backward.
inline void time_attention(std::string const& policy, attention_kernels const& kernels, attention_sizes const& sizes, double seconds) {
    index_t const B = sizes.batch, H = sizes.heads, T = sizes.length, D = sizes.head_size;
    index_t const C = H * D;
    tensor<float, 3> qkv({B, T, 3 * C}), dqkv({B, T, 3 * C}), y({B, T, C}), dy({B, T, C}), x({B, T, C}), dx({B, T, C}, 0.0f);
    detail::fill_random(qkv.data(), qkv.size(), "qkv");
    detail::fill_random(dy.data(), dy.size(), "dy");
    detail::fill_random(x.data(), x.size(), "x");
    attention_problem<float> p;
    p.B = B, p.H = H, p.T = T, p.D = D, p.width = C;
    p.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
    p.q = merged_heads(*qkv, D, 0), p.k = merged_heads(*qkv, D, C), p.v = merged_heads(*qkv, D, 2 * C);
    p.input = x.data();
    attention_gradients<float> g{merged_heads(*dqkv, D, 0), merged_heads(*dqkv, D, C), merged_heads(*dqkv, D, 2 * C), dx.data(), {}};
    std::vector<buffer<float>> memory;
    for (index_t const n : kernels.parameter_sizes(p.sizes())) {
        auto& m = memory.emplace_back(static_cast<std::size_t>(2 * n));
        detail::fill_random(m.data(), 2 * n, "parameter", 0.02);
        p.parameters.push_back(m.data());
        g.parameters.push_back(m.data() + n);
    }
    attention_saved<float> saved;
    auto const forward = [&] { kernels.forward(cpu{}, p, saved, merged_heads(*y, D)); };
    auto const both = [&] {
        forward();
        kernels.backward(cpu{}, p, saved, merged_heads(*y, D), merged_heads(*dy, D), g);
    };
    auto const name = [&](char const* pass) {
        return text("attention.", policy, ".t", omp_get_max_threads(), ".", pass, ".B", B, ".T", T);
    };
    detail::print_times(name("fwd"), detail::time_calls(seconds, forward));
    detail::print_times(name("fwdbwd"), detail::time_calls(seconds, both));
}

}  // namespace attnlab
