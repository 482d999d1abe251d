#pragma once
#include <algorithm>
#include <string>
#include <utility>

#include <omp.h>

#include <attnlab/cli/benchmark_timing.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/kernels/cpu/gemm.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

/// \file
/// `attnlab benchmark machine`: what no kernel can exceed here, on as many threads as OpenMP has.
///   peak.fma512.t2    GFLOP/s of multiply-adds on registers of so many bits, nothing from memory
///   peak.read.t2      GB/s of reading memory;  peak.triad.t2   GB/s of a = b + s c (McCalpin's STREAM, 12 bytes an element)
///   gemm.LIBRARY.t2.fwd|dx|dw.1024x3072x768   .min, .median, .rate of the matrix products of GPT-2's MLP

namespace attnlab {

namespace detail {

/// `n` multiply-adds on each of as many independent registers as there are indices.
template <std::size_t... I>
float multiply_adds(index_t n, float factor, std::index_sequence<I...>) {
    reg const x = lanes(factor).data;
    reg a[] = {lanes(factor + static_cast<float>(I)).data...};  // all different: equal ones would be computed once
    for (index_t i = 0; i < n; ++i) ((a[I] = a[I] * x + x), ...);
    reg sum = a[0];
    ((sum += a[I]), ...);
    return sum[0];
}

inline void benchmark_multiply_adds(double seconds) {
    constexpr index_t n = 2'000'000;
    constexpr std::size_t registers = 12;  // 4 cycles' latency on two units need 8; AVX2 has 16
    int const threads = omp_get_max_threads();
    float volatile factor = 0.5f, sink = 0;  // so that the compiler knows nothing
    auto const t = time_calls(seconds, [&] {
        float sum = 0;
#pragma omp parallel reduction(+ : sum)
        sum += multiply_adds(n, factor, std::make_index_sequence<registers>{});
        sink = sum;
    });
    warn_if_contended(t);
    print_figure(text("peak.fma", 32 * register_width, ".t", threads),
                 2 * static_cast<double>(n * register_width * threads) * static_cast<double>(registers) / t.least * 1e-9,
                 "GFLOP/s");
}

inline void benchmark_memory(double seconds) {
    constexpr index_t n = index_t{1} << 26;  // 256 MiB an array, beyond every cache
    buffer<float> a(n), b(n), c(n);
    // Each thread first touches what it will read.
    auto const each_share = [&](auto body) {
#pragma omp parallel for schedule(static)
        for (index_t i = 0; i < n / 4096; ++i) body(4096 * i);
    };
    each_share([&](index_t i) {
        for (auto* x : {&a, &b, &c}) std::fill_n(x->data() + i, 4096, 1.0f);
    });
    int const threads = omp_get_max_threads();
    float volatile sink = 0;
    auto const read = time_calls(seconds, [&] {
        float sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
        for (index_t i = 0; i < n / 4096; ++i) {
            lanes part[4] = {lanes(0.0f), lanes(0.0f), lanes(0.0f), lanes(0.0f)};
            for (index_t j = 0; j < 4096; j += 4 * register_width)
                for (index_t k = 0; k < 4; ++k) part[k] += load_aligned(a.data() + 4096 * i + j + k * register_width);
            sum += hsum(part[0] + part[1] + part[2] + part[3]);
        }
        sink = sum;
    });
    warn_if_contended(read);
    print_figure(text("peak.read.t", threads), 4e-9 * static_cast<double>(n) / read.least, "GB/s");
    auto const triad = time_calls(seconds, [&] {
        each_share([&](index_t i) {
            for (index_t j = i; j < i + 4096; j += register_width)
                store_aligned(a.data() + j, fma(lanes(0.5f), load_aligned(c.data() + j), load_aligned(b.data() + j)));
        });
    });
    warn_if_contended(triad);
    print_figure(text("peak.triad.t", threads), 12e-9 * static_cast<double>(n) / triad.least, "GB/s");
}

/// The library's matrix product, forward and for both gradients: y = x w^T with x (tokens, in), w (out, in).
inline void benchmark_gemm(index_t tokens, index_t out, index_t in, double seconds) {
#ifdef ATTNLAB_USE_ONEDNN
    std::string const library = "onednn";
#else
    std::string const library = "blas";
#endif
    auto const size = [](index_t m, index_t n) { return static_cast<std::size_t>(m * n); };
    buffer<float> x(size(tokens, in), 0.5f), w(size(out, in), 0.25f), y(size(tokens, out), 0.1f);
    auto const product = [&](char const* which, auto call) {
        auto const t = time_calls(seconds, call);
        auto const name = text("gemm.", library, ".t", omp_get_max_threads(), ".", which, ".", tokens, "x", out, "x", in);
        print_times(name, t);
        print_figure(name + ".rate", 2e-9 * static_cast<double>(tokens * out) * static_cast<double>(in) / t.least, "GFLOP/s");
    };
    product("fwd", [&] { gemm(cpu{}, false, true, tokens, out, in, 1e-6f, x.data(), in, w.data(), in, 0, y.data(), out); });
    product("dx", [&] { gemm(cpu{}, false, false, tokens, in, out, 1e-6f, y.data(), out, w.data(), in, 0, x.data(), in); });
    product("dw", [&] { gemm(cpu{}, true, false, out, in, tokens, 1e-6f, y.data(), out, x.data(), in, 0, w.data(), in); });
}

}  // namespace detail

inline void benchmark_machine(double seconds) {
    detail::benchmark_multiply_adds(seconds);
    detail::benchmark_memory(seconds);
    detail::benchmark_gemm(1024, 3072, 768, seconds);
}

}  // namespace attnlab
