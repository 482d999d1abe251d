#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <attnlab/attention/problem.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/heads.hpp>
#include <attnlab/core/precision.hpp>
#include <attnlab/core/rng.hpp>

/// \file
/// The arrays of one call of attention, for those who time it: `attnlab benchmark attention` and benchmarks/policy_on_gpu.py, whose files nvcc compiles.

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

/// What a layer of a model gives attention, laid out as there: q, k, v side by side, x beside them, and where products are of bfloat16 all rounded. All
/// memory has been touched.
struct attention_arrays {
    attention_problem<float> problem;
    attention_gradients<float> gradients;
    attention_saved<float> saved;
    stored_heads<float> result;
    stored_heads<float const> upstream;

    /// `parameter_sizes` says how many numbers each parameter of the policy has.
    attention_arrays(attention_sizes const& n, precision products, std::vector<index_t> (*parameter_sizes)(head_sizes)) {
        bool const rounded = products == precision::bfloat16;
        index_t const C = n.H * n.D, C_kv = n.kv_heads() * n.D;
        auto const rows = [&](heads_memory<float>& a, index_t width, char const* name, double deviation) {
            a.resize({n.B, n.T, width}, rounded);
            a.rows(n.D).visit([&](auto all) { fill(all.data, n.B * n.T * width, name, deviation); });
        };
        rows(qkv_, C + 2 * C_kv, "qkv", 1), rows(d_qkv_, C + 2 * C_kv, "d_qkv", 0), rows(y_, C, "y", 0), rows(dy_, C, "dy", 1);
        problem.B = n.B, problem.H = n.H, problem.H_kv = n.kv_heads(), problem.T = n.T, problem.D = n.D, problem.width = C;
        problem.products = products, problem.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(n.D)));
        problem.q = qkv_.rows(n.D), problem.k = qkv_.rows(n.D, C), problem.v = qkv_.rows(n.D, C + C_kv);
        gradients.q = d_qkv_.rows(n.D), gradients.k = d_qkv_.rows(n.D, C), gradients.v = d_qkv_.rows(n.D, C + C_kv);
        result = y_.rows(n.D), upstream = dy_.rows(n.D);

        index_t const of_x = n.B * n.T * C;
        problem.input = filled(x_, of_x, "x", 1), gradients.input = filled(d_x_, of_x, "d_x", 0);
        if (rounded) problem.rounded_input = filled(rounded_x_, of_x, "x", 1), gradients.rounded_input = filled(rounded_d_x_, of_x, "d_x", 0);
        auto const sizes = parameter_sizes(problem.sizes());
        parameters_.resize(2 * sizes.size());
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            problem.parameters.push_back(filled(parameters_[2 * i], sizes[i], "parameter", 0.02));
            gradients.parameters.push_back(filled(parameters_[2 * i + 1], sizes[i], "d_parameter", 0));
        }
    }
    attention_arrays(attention_arrays const&) = delete;

private:
    /// Uniform numbers of this deviation: a GPU's minutes are not for logarithms and cosines on its host.
    template <class S>
    static void fill(S* x, index_t size, char const* name, double deviation) {
        auto const k = rng::stream(1, name);
        double const width = deviation * std::sqrt(12.0);
#pragma omp parallel for
        for (index_t i = 0; i < size; ++i) x[i] = S(static_cast<float>(width * (rng::uniform(k, static_cast<std::uint64_t>(i)) - 0.5)));
    }
    template <class S>
    static S* filled(buffer<S>& x, index_t size, char const* name, double deviation) {
        x.resize(static_cast<std::size_t>(size));
        fill(x.data(), size, name, deviation);
        return x.data();
    }

    heads_memory<float> qkv_, d_qkv_, y_, dy_;
    buffer<float> x_, d_x_;
    buffer<bfloat16> rounded_x_, rounded_d_x_;
    std::vector<buffer<float>> parameters_;
};

}  // namespace attnlab
