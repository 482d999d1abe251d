#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <tuple>
#include <vector>

#include <attnlab/attention/library.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/kernels/cuda/attention.hpp>

/// \file
/// One policy's kernels on a GPU, timed as a layer of a model calls them: for benchmarks/policy_on_gpu.py, which compiles a file for each policy.

struct call_size {
    attnlab::index_t B, T, H, D;
};
/// Least seconds of a call of forward, and of forward and backward. No more than ten calls wait in the GPU's queue.
struct call_times {
    double forward, both;
};

/// In bfloat16: q, k and v side by side, x, the result and their gradients rounded, on memory that use_gpu() has set up.
template <class Policy>
call_times time_policy(call_size n, double seconds) {
    using namespace attnlab;
    index_t const C = n.H * n.D, tokens = n.B * n.T;
    std::uint32_t state = 1;
    auto const random = [&](index_t size, float deviation) {   // uniform, of that deviation
        buffer<bfloat16> x(static_cast<std::size_t>(size));
        for (bfloat16& e : x) {
            state = state * 1664525u + 1013904223u;
            e = bfloat16((static_cast<float>(state >> 8) * 0x1p-23f - 1) * deviation * 1.7320508f);
        }
        return x;
    };
    buffer<bfloat16> qkv = random(3 * tokens * C, 1), x = random(tokens * C, 1), dy = random(tokens * C, 1), d_qkv(qkv.size()), y(x.size()), dx(x.size());
    buffer<float> x_whole, dx_whole;   // for rows that read x themselves
    auto const heads_of = [&](buffer<bfloat16>& a, index_t parts, index_t part) { return merged_heads(view<bfloat16, 3>(a.data(), {n.B, n.T, parts * C}), n.D, part * C); };

    attention_problem<float> p;
    p.B = n.B, p.H = n.H, p.T = n.T, p.D = n.D, p.width = C, p.scale = 1 / std::sqrt(static_cast<float>(n.D)), p.products = precision::bfloat16;
    p.q = heads_of(qkv, 3, 0), p.k = heads_of(qkv, 3, 1), p.v = heads_of(qkv, 3, 2), p.rounded_input = x.data();
    attention_gradients<float> g;
    g.q = heads_of(d_qkv, 3, 0), g.k = heads_of(d_qkv, 3, 1), g.v = heads_of(d_qkv, 3, 2), g.rounded_input = dx.data();
    if (Policy::rows_read_input) {
        for (bfloat16 e : x) x_whole.push_back(static_cast<float>(e));
        dx_whole.resize(x.size());
        p.input = x_whole.data(), g.input = dx_whole.data();
    }
    std::vector<buffer<float>> parameters;
    std::apply([&](auto const&... e) {
        for (index_t const size : std::initializer_list<index_t>{n.H * e.per_head(p.sizes())...})
            for (float const deviation : {0.02f, 0.0f}) {   // a parameter, then its gradient
                buffer<float>& to = parameters.emplace_back();
                for (bfloat16 v : random(size, deviation)) to.push_back(static_cast<float>(v));
            }
    }, Policy::parameters);
    for (std::size_t i = 0; i < parameters.size(); i += 2) p.parameters.push_back(parameters[i].data()), g.parameters.push_back(parameters[i + 1].data());

    attention_saved<float> saved;
    auto const result = heads_of(y, 1, 0), upstream = heads_of(dy, 1, 0);
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
    auto const forward = [&] { attention_forward<Policy>(attnlab::cuda{}, p, saved, result); };
    auto const both = [&] { forward(), attention_backward<Policy>(attnlab::cuda{}, p, saved, result, upstream, g); };
    both();   // memory moves to the GPU, and kernels are loaded
    return {least(forward), least(both)};
}
