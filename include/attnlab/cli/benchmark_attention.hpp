#pragma once
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <attnlab/cli/attention_arrays.hpp>
#include <attnlab/cli/benchmark_timing.hpp>
#include <attnlab/cli/experiment.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>

/// \file
/// `attnlab benchmark attention`: attention alone, without the projections around it, in the names that scripts timing other
/// programs use: attention.POLICY.tTHREADS.fwd|fwdbwd.B1.T1024, then .H, .D, .KV where they are not 12, 64 and H; then
///   .min, .median               milliseconds
///   .rate                       GFLOP/s of the pairs that the mask shows, backward counted as 2.5 forwards
///   .gemm                       milliseconds that GEMMs of this size on the layer's input x take, for policies that learn maps of x
///   .peak_rss_over_base         MiB beyond inputs, outputs and gradients
/// On a GPU q, k, v are of bfloat16, and their gradients, where a model would have them so; `cuda` or `cuda-bfloat16` stands in the place of tTHREADS, only times and rates are given, and ten calls in a row are waited for.

namespace attnlab {

namespace detail {

/// Calls of attention as a model makes them, and the products with x that some policies bring.
class attention_benchmark {
public:
    attention_benchmark(attention_kernels const& kernels, attention_sizes const& n, precision products)
        : kernels_(kernels), n_(n), arrays_(n, products, kernels.parameter_sizes) {}

    /// `calls` in a row, of forward alone or of both, and a wait for the last.
    void run(bool backward, int calls) {
        auto& a = arrays_;
        for (int i = 0; i < calls; ++i) {
            kernels_.forward(a.problem, a.saved, a.result);
            if (backward) kernels_.backward(a.problem, a.saved, a.result, a.upstream, a.gradients);
        }
        kernels_.synchronize();
    }

    /// Rows of the matrices that the policy multiplies x by: those of the parameters that grow with its width.
    std::vector<index_t> rows_of_maps() const {
        auto const one = kernels_.parameter_sizes({n_.H, n_.D, 1}), two = kernels_.parameter_sizes({n_.H, n_.D, 2});
        std::vector<index_t> out;
        for (std::size_t i = 0; i < one.size(); ++i)
            if (two[i] > one[i]) out.push_back(one[i]);
        return out;
    }
    /// x W^T for each of these, and with `backward` the gradients by W and x.
    void multiply_by_maps(std::vector<index_t> const& maps, buffer<float>& product, buffer<float> const& weight,
                          buffer<float>& d_weight, bool backward) {
        index_t const tokens = n_.B * n_.T, C = n_.H * n_.D;
        float const* const x = arrays_.problem.input;
        for (index_t const out : maps) {
            gemm(cpu{}, false, true, tokens, out, C, 1, x, C, weight.data(), C, 0, product.data(), out);
            if (!backward) continue;
            gemm(cpu{}, true, false, out, C, tokens, 1, product.data(), out, x, C, 0, d_weight.data(), C);
            gemm(cpu{}, false, false, tokens, C, out, 1, product.data(), out, weight.data(), C, 0, arrays_.gradients.input, C);
        }
    }

private:
    attention_kernels kernels_;
    attention_sizes n_;
    attention_arrays arrays_;
};

/// \throws usage_error for a policy that cannot have so few heads of k and v, or sizes that memory does not hold
inline void check_attention_sizes(experiment const& e, attention_sizes const& n) {
    auto const d = [](index_t i) { return static_cast<double>(i); };
    double const needed = 4 * d(n.B) * d(n.T) * d(n.H) * d(n.D) * 12 / 1048576,
                 there = d(::sysconf(_SC_PHYS_PAGES)) * d(::sysconf(_SC_PAGE_SIZE)) / 1048576;
    if (needed > there)
        fail<usage_error>("B ", n.B, ", T ", n.T, ", H ", n.H, ", D ", n.D, ": expected sizes that fit into ", std::round(there),
                          " MiB, got ", std::round(needed));
    if (n.kv_heads() != n.H)  // a small model says it
        e.make_model({.n_layer = 1, .n_head = n.H, .n_embd = 8 * n.H, .n_kv_head = n.H_kv, .block_size = 8, .vocab_size = 8});
}

}  // namespace detail

/// Times the policy at one size, on as many threads as OpenMP has: forward, and forward with backward.
inline void benchmark_attention(experiment const& e, attention_sizes const& n, double seconds, benchmark_place const& place) {
    auto const& kernels = e.on(place.device).kernels;
    bool const on_cpu = place.device == "cpu";
    detail::attention_benchmark call(kernels, n, place.products);
    detail::reset_peak_memory();
    double const resident = detail::memory_mib("VmRSS");
    call.run(true, 1);
    double const beyond = std::max(0.0, detail::memory_mib("VmHWM") - resident);

    index_t const seen = kernels.pairs(n.T), square = n.T * n.T;
    // Causal counts half of the square, as the scripts beside it do.
    double const pairs = 2 * seen == square + n.T ? 0.5 * static_cast<double>(square) : static_cast<double>(seen);
    double const flop = 4 * static_cast<double>(n.B * n.H * n.D) * pairs;
    auto const maps = call.rows_of_maps();
    std::size_t const rows = static_cast<std::size_t>(maps.empty() ? 0 : *std::max_element(maps.begin(), maps.end()));
    auto const tokens = static_cast<std::size_t>(n.B * n.T), width = static_cast<std::size_t>(n.H * n.D);
    buffer<float> product(rows * tokens), weight(rows * width, 0.02f), d_weight(rows * width);

    for (bool const backward : {false, true}) {
        auto const name = text("attention.", e.card.name, ".", place.name(), backward ? ".fwdbwd" : ".fwd", n.name());
        int const calls = on_cpu ? 1 : 10;  // so that a GPU is timed, and not the wait for it
        auto t = time_calls(seconds, [&] { call.run(backward, calls); }, place.device);
        t.least /= calls, t.median /= calls;
        print_times(name, t);
        print_figure(name + ".rate", (backward ? 3.5 : 1) * flop / t.least * 1e-9, "GFLOP/s");
        if (backward && on_cpu) print_figure(name + ".peak_rss_over_base", beyond, "MiB");
        if (maps.empty() || !on_cpu) continue;
        auto const g = time_calls(seconds / 4, [&] { call.multiply_by_maps(maps, product, weight, d_weight, backward); });
        warn_if_contended(g);
        print_figure(name + ".gemm", g.least * 1e3, "ms");
    }
}

}  // namespace attnlab
