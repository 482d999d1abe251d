#pragma once
#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/kernels/pattern.hpp>

/// \file
/// One call of attention with owned arrays, on any device: what `check_policy`, the tests of kernels and the parity fixtures drive.
/// Include the device's kernel beside it.

namespace attnlab {

/// The sizes of one call.
struct call_sizes {
    index_t B, H, T, D, width;  ///< width: C of the layer's input
    double scale;
    length_rule rule = length_rule::sequence;
    index_t trained_length = 0;
    index_t H_kv = 0;           ///< heads of k and v; 0: as H

    index_t kv_heads() const { return H_kv ? H_kv : H; }
    operator head_sizes() const { return {H, D, width}; }
};

/// What goes in, in double; a float device reads it narrowed.
struct attention_inputs {
    call_sizes n;
    tensor<double, 4> q, k, v, dy;                ///< (B, H, T, D), k and v (B, H_kv, T, D)
    tensor<double, 3> input;                      ///< (B, T, C)
    std::vector<std::vector<double>> parameters;  ///< in the policy's order, each for all heads
    std::vector<index_t> documents = {};          ///< (B, T): where each token's document begins; empty: one document
    precision products = precision::float32;      ///< where the device has a choice
};

template <class S>
struct attention_results {
    tensor<S, 4> y, dq, dk, dv;  ///< (B, H, T, D)
    tensor<S, 3> d_input;        ///< (B, T, C)
    std::vector<buffer<S>> d_parameters;
    tensor<S, 4> pattern;     ///< (B, H, T, T)
    tensor<S, 3> slot, gate;  ///< (B, H, T)
};

/// How q, k, v and the result lie in memory: four arrays, or (B, T, 3C) and (B, T, C) as a layer has them.
enum class attention_layout { separate, packed };

/// The four axes of (B, H, T, D) walked once: `body(b, h, t, c)`.
template <class Body>
void each_entry(std::array<index_t, 4> n, Body body) {
    for (index_t b = 0; b < n[0]; ++b)
        for (index_t h = 0; h < n[1]; ++h)
            for (index_t t = 0; t < n[2]; ++t)
                for (index_t c = 0; c < n[3]; ++c) body(b, h, t, c);
}

/// Storage of rows that a kernel sees as heads: arrays of (B, H, T, D), H for each, side by side in the packed layout.
template <class S>
class head_storage {
public:
    head_storage(call_sizes const& n, attention_layout layout, std::vector<index_t> heads_of)
        : n_(n), layout_(layout), heads_(std::move(heads_of)) {
        for (index_t h : heads_) {
            before_.push_back(total_);
            total_ += h;
        }
        all_.resize(static_cast<std::size_t>(total_ * n.B * n.T * n.D), S(7));  // kernels must not count on zeros
    }
    heads<S> part(std::size_t i) {
        if (layout_ == attention_layout::packed)
            return merged_heads(view<S, 3>(all_.data(), {n_.B, n_.T, total_ * n_.D}), n_.D, before_[i] * n_.D);
        return separate_heads(view<S, 4>(all_.data() + before_[i] * n_.B * n_.T * n_.D, shape(i)));
    }
    void put(std::size_t i, tensor<double, 4> const& from) {
        auto const to = part(i);
        each_entry(shape(i), [&](index_t b, index_t h, index_t t, index_t c) { to.row(b, h, t)[c] = static_cast<S>(from(b, h, t, c)); });
    }
    tensor<S, 4> take(std::size_t i) {
        auto const from = part(i);
        tensor<S, 4> out(shape(i));
        each_entry(shape(i), [&](index_t b, index_t h, index_t t, index_t c) { out(b, h, t, c) = from.row(b, h, t)[c]; });
        return out;
    }

private:
    std::array<index_t, 4> shape(std::size_t i) const { return {n_.B, heads_[i], n_.T, n_.D}; }

    call_sizes n_;
    attention_layout layout_;
    std::vector<index_t> heads_, before_;
    index_t total_ = 0;
    buffer<S> all_;
};

/// The arrays of one call and the problem that points to them: all of it that no policy changes. Outlived by its inputs.
template <class S>
struct attention_call {
    head_storage<S> qkv, y, dy, d_qkv;
    buffer<S> input;
    buffer<index_t> documents;
    std::vector<buffer<S>> parameters;
    attention_problem<S> problem;
    attention_gradients<S> gradients;
    attention_results<S> results;

    attention_call(attention_inputs const& in, attention_layout layout)
        : qkv(in.n, layout, three(in.n)), y(in.n, layout, {in.n.H}), dy(in.n, layout, {in.n.H}), d_qkv(in.n, layout, three(in.n)) {
        auto const& n = in.n;
        qkv.put(0, in.q), qkv.put(1, in.k), qkv.put(2, in.v), dy.put(0, in.dy);
        for (double x : *in.input) input.push_back(static_cast<S>(x));
        for (auto const& values : in.parameters) {
            parameters.emplace_back();
            for (double x : values) parameters.back().push_back(static_cast<S>(x));
        }
        problem.B = n.B, problem.H = n.H, problem.H_kv = n.kv_heads(), problem.T = n.T, problem.D = n.D, problem.width = n.width;
        documents.assign(in.documents.begin(), in.documents.end());
        problem.documents = documents.empty() ? nullptr : documents.data();
        problem.scale = static_cast<S>(n.scale);
        problem.rule = n.rule, problem.products = in.products;
        problem.trained_length = n.trained_length;
        problem.q = qkv.part(0), problem.k = qkv.part(1), problem.v = qkv.part(2);
        problem.input = input.empty() ? nullptr : input.data();
        gradients.q = d_qkv.part(0), gradients.k = d_qkv.part(1), gradients.v = d_qkv.part(2);
        results.d_input = tensor<S, 3>({n.B, n.T, n.width}, S(0));
        gradients.input = results.d_input.data();
        for (auto const& values : parameters) {
            problem.parameters.push_back(values.data());
            results.d_parameters.emplace_back(values.size(), S(0));
        }
        for (auto& d : results.d_parameters) gradients.parameters.push_back(d.data());
    }
    attention_call(attention_call const&) = delete;

private:
    static std::vector<index_t> three(call_sizes const& n) { return {n.H, n.kv_heads(), n.kv_heads()}; }
};

/// Forward and backward, and what observers see if `Observed`.
template <class Policy, class Device, bool Observed = true>
attention_results<typename Device::scalar> run_attention(attention_inputs const& in,
                                                         attention_layout layout = attention_layout::separate) {
    using S = typename Device::scalar;
    attention_call<S> c(in, layout);
    auto& out = c.results;
    attention_saved<S> saved;
    attention_forward<Policy>(Device{}, c.problem, saved, c.y.part(0));
    synchronize(Device{});
    out.y = c.y.take(0);
    attention_backward<Policy>(Device{}, c.problem, saved, c.y.part(0), c.dy.part(0), c.gradients);
    synchronize(Device{});
    out.dq = c.d_qkv.take(0), out.dk = c.d_qkv.take(1), out.dv = c.d_qkv.take(2);
    if constexpr (Observed) {
        auto const& n = in.n;
        out.slot.resize({n.B, n.H, n.T});
        out.gate.resize({n.B, n.H, n.T});
        out.pattern.resize({n.B, n.H, n.T, n.T});
        attention_gates<Policy, S>(c.problem, saved, saved.template weighted_values<Policy>(c.problem, c.y.part(0)), out.slot, out.gate);
        attention_pattern<Policy, S>(c.problem, saved, out.slot, out.pattern);
    }
    return std::move(out);
}

/// How many numbers each of the policy's parameters has.
template <class Policy>
std::vector<index_t> parameter_sizes(head_sizes n) {
    std::vector<index_t> out;
    std::apply([&](auto const&... e) { (out.push_back(total_of(e, n)), ...); }, Policy::parameters);
    return out;
}

}  // namespace attnlab
