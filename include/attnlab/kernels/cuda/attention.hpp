#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include <attnlab/attention/problem.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/kernels/attention_statistics.hpp>

#include <attnlab/kernels/cuda/attention_forward.hpp>
#include <attnlab/kernels/cuda/pack.hpp>
#include <attnlab/kernels/cuda/token_joints.hpp>

/// \file
/// Attention on a GPU, for any policy: token by token what joints do with rows (kernels/cuda/token_joints.hpp), and tiles on tensor cores
/// (attention_forward.hpp, attention_backward.hpp), in float or, where the problem says so, in bfloat16 with sums in float.

namespace attnlab {

namespace gpu {

struct for_q;
struct for_k;
struct for_v;
struct for_dy;
struct for_rows;
struct for_copies;

/// `body(Products{}, std::integral_constant<int, D>{})` for the products asked for and the head size, padded to one that is compiled.
template <class Policy, class Body>
void with_tiles(attention_problem<float> const& p, Body body) {
    auto const sized = [&]<class Products>(Products products) {
        if (p.D <= 32) return body(products, std::integral_constant<int, 32>{});
        if (p.D <= 64) return body(products, std::integral_constant<int, 64>{});
        if (p.D <= 128) return body(products, std::integral_constant<int, 128>{});
        require(p.D <= 256, "attention on cuda: head size ", p.D, ": expected at most 256");
        body(products, std::integral_constant<int, 256>{});
    };
    p.products == precision::bfloat16 ? sized(bfloat16_products{}) : sized(float_products{});
}

template <class Policy>
void run_projections_forward(cuda_device auto device, attention_problem<float> const& p, attention_saved<float>& saved) {
    saved.projections.resize(Policy::parameter_count);
    index_t const n = p.B * p.T, out = p.H * p.D;
    attnlab::detail::each_matrix<Policy>([&](auto const&, std::size_t i) {
        saved.projections[i].resize({p.B, p.T, out});
        linear_forward(device, view<float const, 2>(p.input, {n, p.width}), view<float const, 2>(p.parameters[i], {out, p.width}), static_cast<float const*>(nullptr),
                       view<float, 2>(saved.projections[i].data(), {n, out}));
    });
}

template <class Policy, class Device>
output_rows<Policy> rows_of_output(attention_problem<float> const& p, attention_saved<float> const& saved, heads<float const> weighted) {
    output_rows<Policy> r{weighted, p.q, saved.reference.data(), saved.sum.data(), p.H, p.T, p.D};
    if constexpr (Policy::has_projections)
        attnlab::detail::each_matrix<Policy>([&](auto const&, std::size_t i) { r.projections[i] = saved.projections[i].data(); });
    return r;
}

/// q, k, v as the scores see them, token numbers, products of matrices: into `saved`. Returns the problem as the tiles see it.
template <class Policy, class Device>
attention_problem<float> before_tiles(Device device, attention_problem<float> const& given, attention_saved<float>& saved) {
    saved.template resize<Policy>(given);
    index_t const tokens = given.B * given.T;
    auto const prepare = [&]<prologue Which>(std::integral_constant<prologue, Which>, heads<float const> from, index_t count, tensor<float, 3>& to) {
        each_token<Policy>(device, given, count, tokens, prologue_forward<Policy, Which>{from, merged_heads(*to, given.D)});
    };
    if constexpr (Policy::has_query) prepare(std::integral_constant<prologue, prologue::query>{}, given.q, given.H, saved.q);
    if constexpr (Policy::has_key) prepare(std::integral_constant<prologue, prologue::key>{}, given.k, given.kv_heads(), saved.k);
    if constexpr (Policy::has_value) prepare(std::integral_constant<prologue, prologue::value>{}, given.v, given.kv_heads(), saved.v);
    auto const p = saved.template after_prologue<Policy>(given);
    if constexpr (Policy::has_tokens) {
        each_token<Policy>(device, p, p.H, tokens, numbers_forward<Policy>{saved.tokens.data(), p.H, p.T});
        if (Policy::tokens.scan) launch_rows(device, p.B * p.H, scan_program{saved.tokens.data(), p.T, false});
    }
    if constexpr (Policy::has_projections) run_projections_forward<Policy>(device, p, saved);
    return p;
}

}  // namespace gpu

/// y (B, H, T, D) by the policy; keeps in `saved` what backward needs.
template <class Policy, cuda_device Device>
void attention_forward(Device device, attention_problem<float> const& given, attention_saved<float>& saved, heads<float> y) {
    auto const p = gpu::before_tiles<Policy>(device, given, saved);
    gpu::with_tiles<Policy>(p, [&]<class Products, int D>(Products, std::integral_constant<int, D>) {
        heads<float> to = y;
        if constexpr (Policy::has_output) to = merged_heads(*saved.core, p.D);
        gpu::forward_tiles<Policy, Products, D> const tiles{gpu::portable<Policy>(p),
                                                            gpu::pack<gpu::for_q, Products>(device, p.q, p.B, p.H, p.T, p.D, D),
                                                            gpu::pack<gpu::for_k, Products>(device, p.k, p.B, p.kv_heads(), p.T, p.D, D),
                                                            gpu::pack<gpu::for_v, Products>(device, p.v, p.B, p.kv_heads(), p.T, p.D, D),
                                                            to,
                                                            Policy::one_pass ? heads<float>{} : merged_heads(*saved.by_sum, p.D),
                                                            saved.reference.data(), saved.sum.data(), saved.tokens.data()};
        gpu::launch(device, tiles, tiles.blocks());
    });
    if constexpr (Policy::has_output)
        gpu::each_token<Policy>(device, p, p.H, p.B * p.T,
                                gpu::output_forward<Policy>{gpu::rows_of_output<Policy, Device>(p, saved, merged_heads(view<float const, 3>(saved.core), p.D)), y});
}

}  // namespace attnlab
