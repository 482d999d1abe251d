#pragma once
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <omp.h>

#include <attnlab/cli/benchmark_timing.hpp>
#include <attnlab/cli/experiment.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/rng.hpp>

/// \file
/// `attnlab benchmark attention`: attention alone, without the projections around it, in the names that scripts timing other
/// programs use: attention.POLICY.tTHREADS.fwd|fwdbwd.B1.T1024, then .H, .D, .KV where they are not 12, 64 and H; then
///   .min, .median               milliseconds
///   .rate                       GFLOP/s of the pairs that the mask shows, backward counted as 2.5 forwards
///   .gemm                       milliseconds that GEMMs of this size on the layer's input x take, for policies that learn maps
///   of x .peak_rss_over_base         MiB beyond inputs, outputs and gradients
/// On a GPU q, k, v are of bfloat16, and their gradients, where a model would have them so; `cuda` or `cuda-bfloat16` stands in the place of tTHREADS, only times and rates are given, and ten calls in a row are waited for.

namespace attnlab {

/// B, H, T, D of a call, and the heads of k and v (0: H).
struct attention_sizes {
    index_t B = 1, H = 12, T = 1024, D = 64, H_kv = 0;

    index_t kv_heads() const { return H_kv ? H_kv : H; }
    /// ".B1.T1024": what figures are called after.
    std::string name() const {
        return text(".B", B, ".T", T, H != 12 ? text(".H", H) : "", D != 64 ? text(".D", D) : "",
                    kv_heads() != H ? text(".KV", H_kv) : "");
    }
};

namespace detail {

inline void fill_random(buffer<float>& x, char const* name, double deviation = 1) {
    auto const k = rng::stream(1, name);
    auto const n = static_cast<index_t>(x.size());
#pragma omp parallel for
    for (index_t i = 0; i < n; ++i)
        x[static_cast<std::size_t>(i)] = static_cast<float>(deviation * rng::normal(k, static_cast<std::uint64_t>(i)));
}

/// One call of attention with its arrays, laid out as in a model: q, k, v side by side. All memory has been touched.
class attention_benchmark {
public:
    attention_benchmark(attention_kernels const& kernels, attention_sizes const& n, precision products) : kernels_(kernels), n_(n) {
        index_t const C = n.H * n.D, packed = C + 2 * n.kv_heads() * n.D, tokens = n.B * n.T;
        for (auto* a : {&qkv_, &dqkv_}) a->assign(static_cast<std::size_t>(tokens * packed), 0.0f);
        for (auto* a : {&y_, &dy_, &x_, &dx_}) a->assign(static_cast<std::size_t>(tokens * C), 0.0f);
        fill_random(qkv_, "qkv"), fill_random(dy_, "dy"), fill_random(x_, "x");
        auto const part = [&](buffer<float>& a, index_t offset) {
            return merged_heads(view<float, 3>(a.data(), {n.B, n.T, packed}), n.D, offset);
        };
        problem_.B = n.B, problem_.H = n.H, problem_.H_kv = n.kv_heads(), problem_.T = n.T, problem_.D = n.D, problem_.width = C;
        problem_.products = products;
        problem_.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(n.D)));
        std::array<index_t, 3> const at{0, C, C + n.kv_heads() * n.D};
        problem_.q = part(qkv_, at[0]), problem_.k = part(qkv_, at[1]), problem_.v = part(qkv_, at[2]);
        problem_.input = x_.data();
        gradients_ = {part(dqkv_, at[0]), part(dqkv_, at[1]), part(dqkv_, at[2]), dx_.data(), nullptr, {}};
        auto const round = [](buffer<float> const& from, buffer<bfloat16>& to) {
            to.resize(from.size());
            std::transform(from.begin(), from.end(), to.begin(), [](float x) { return bfloat16(x); });
        };
        result_ = rows(y_), upstream_ = rows(dy_);
        if (products == precision::bfloat16) {   // as in a model on a GPU
            round(y_, rounded_y_), round(dy_, rounded_dy_);
            result_ = rows(rounded_y_), upstream_ = rows(rounded_dy_);
            round(qkv_, rounded_), round(dqkv_, d_rounded_), round(x_, rounded_x_), round(dx_, rounded_dx_);
            problem_.rounded_input = rounded_x_.data(), gradients_.rounded_input = rounded_dx_.data();
            auto const rounded = [&](buffer<bfloat16>& a, index_t offset) { return merged_heads(view<bfloat16, 3>(a.data(), {n.B, n.T, packed}), n.D, offset); };
            problem_.q = rounded(rounded_, at[0]), problem_.k = rounded(rounded_, at[1]), problem_.v = rounded(rounded_, at[2]);
            gradients_.q = rounded(d_rounded_, at[0]), gradients_.k = rounded(d_rounded_, at[1]), gradients_.v = rounded(d_rounded_, at[2]);
        }
        for (index_t const size : kernels.parameter_sizes(problem_.sizes())) {
            fill_random(parameters_.emplace_back(static_cast<std::size_t>(size)), "parameter", 0.02);
            d_parameters_.emplace_back(static_cast<std::size_t>(size), 0.0f);
            problem_.parameters.push_back(parameters_.back().data());
            gradients_.parameters.push_back(d_parameters_.back().data());
        }
    }
    attention_benchmark(attention_benchmark const&) = delete;

    /// `calls` in a row, of forward alone or of both, and a wait for the last.
    void run(bool backward, int calls) {
        for (int i = 0; i < calls; ++i) {
            kernels_.forward(problem_, saved_, result_);
            if (backward) kernels_.backward(problem_, saved_, result_, upstream_, gradients_);
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
        for (index_t const out : maps) {
            gemm(cpu{}, false, true, tokens, out, C, 1, x_.data(), C, weight.data(), C, 0, product.data(), out);
            if (!backward) continue;
            gemm(cpu{}, true, false, out, C, tokens, 1, product.data(), out, x_.data(), C, 0, d_weight.data(), C);
            gemm(cpu{}, false, false, tokens, C, out, 1, product.data(), out, weight.data(), C, 0, dx_.data(), C);
        }
    }

private:
    template <class T>
    heads<T> rows(buffer<T>& a) const {
        return merged_heads(view<T, 3>(a.data(), {n_.B, n_.T, n_.H * n_.D}), n_.D);
    }

    attention_kernels kernels_;
    attention_sizes n_;
    buffer<float> qkv_, dqkv_, y_, dy_, x_, dx_;
    buffer<bfloat16> rounded_, d_rounded_, rounded_y_, rounded_dy_, rounded_x_, rounded_dx_;
    stored_heads<float> result_;
    stored_heads<float const> upstream_;
    std::vector<buffer<float>> parameters_, d_parameters_;
    attention_problem<float> problem_;
    attention_gradients<float> gradients_;
    attention_saved<float> saved_;
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
