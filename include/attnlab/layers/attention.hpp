#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/kernels/pattern.hpp>
#include <attnlab/layers/linear.hpp>
#include <attnlab/observe/observer.hpp>

namespace attnlab {

/// Multi-head self-attention under a policy: one projection to q, k, v, the policy, one projection back.
template <class Policy, class Device>
class attention_layer {
    using S = typename Device::scalar;

public:
    struct saved {
        tensor<S, 3> qkv;              ///< (B, T, 3C)
        tensor<S, 3> z;                ///< (B, T, C): merged heads
        attention_saved<S> rows;
    };
    /// Room to work in on the way back, shared by all layers.
    struct workspace {
        tensor<S, 3> dqkv, dz, d_input;
    };

    attention_layer(parameter_list<S>& all, std::string const& name, index_t width, index_t heads, bool bias, double deviation,
                    double projection_deviation)
        : width_(width), heads_(heads), project_(all, name + ".c_attn", width, 3 * width, bias, deviation),
          merge_(all, name + ".c_proj", width, width, bias, projection_deviation) {
        std::apply([&](auto const&... p) { (declare(all, name, p, deviation), ...); }, Policy::parameters);
    }

    /// x (B, T, C) -> y (N, C).
    template <observer Observer>
    void forward(view<S const, 3> x, view<S, 2> y, saved& s, length_rule rule, index_t trained_length, Observer& o, index_t layer) const {
        index_t const B = x.shape(0), T = x.shape(1), n = B * T;
        s.qkv.resize({B, T, 3 * width_});
        s.z.resize({B, T, width_});
        project_.forward(x.reshaped(std::array{n, width_}), (*s.qkv).reshaped(std::array{n, 3 * width_}));
        auto const p = problem(x, s, rule, trained_length);
        attention_forward<Policy>(Device{}, p, s.rows, merged_heads(*s.z, head_size()));
        show(p, s, o, layer);
        merge_.forward(view<S const, 3>(s.z).reshaped(std::array{n, width_}), y);
    }

    /// dx (B, T, C) is assigned.
    void backward(view<S const, 2> dy, view<S const, 3> x, saved const& s, length_rule rule, index_t trained_length, view<S, 3> dx,
                  workspace& w) const {
        index_t const B = x.shape(0), T = x.shape(1), n = B * T;
        w.dz.resize({B, T, width_});
        w.dqkv.resize({B, T, 3 * width_});
        merge_.backward(dy, view<S const, 3>(s.z).reshaped(std::array{n, width_}), w.dz.data());

        attention_gradients<S> g;
        g.q = merged_heads(*w.dqkv, head_size(), 0);
        g.k = merged_heads(*w.dqkv, head_size(), width_);
        g.v = merged_heads(*w.dqkv, head_size(), 2 * width_);
        for (auto* p : policy_) g.parameters.push_back(p->gradient.data());
        if constexpr (reads_input) {
            w.d_input.resize({B, T, width_});
            w.d_input.fill(0);
            g.input = w.d_input.data();
        }
        attention_backward<Policy>(Device{}, problem(x, s, rule, trained_length), s.rows, merged_heads(*s.z, head_size()),
                                   merged_heads(view<S const, 3>(w.dz), head_size()), g);
        project_.backward(view<S const, 3>(w.dqkv).reshaped(std::array{n, 3 * width_}), x.reshaped(std::array{n, width_}), dx.data());
        if constexpr (reads_input)
            add(Device{}, view<S const, 1>(w.d_input.data(), {w.d_input.size()}), view<S, 1>(dx.data(), {dx.size()}));
    }

private:
    static constexpr bool reads_input = expr::mentions<expr::input_tag, std::remove_const_t<decltype(Policy::output)>>;

    index_t head_size() const { return width_ / heads_; }

    template <class P>
    void declare(parameter_list<S>& all, std::string const& name, P const& p, double deviation) {
        initializer const first = p.init.deviation == from_model.deviation ? normal(deviation) : p.init;
        policy_.push_back(all.add(name + "." + std::string(p.name), P::shape({heads_, head_size(), width_}), first));
    }

    attention_problem<S> problem(view<S const, 3> x, saved const& s, length_rule rule, index_t trained_length) const {
        attention_problem<S> p;
        p.B = x.shape(0), p.H = heads_, p.T = x.shape(1), p.D = head_size(), p.width = width_;
        p.scale = static_cast<S>(1 / std::sqrt(static_cast<double>(p.D)));
        p.rule = rule;
        p.trained_length = trained_length;
        p.q = merged_heads(*s.qkv, p.D, 0);
        p.k = merged_heads(*s.qkv, p.D, width_);
        p.v = merged_heads(*s.qkv, p.D, 2 * width_);
        p.input = x.data();
        for (auto* a : policy_) p.parameters.push_back(a->value.data());
        return p;
    }

    /// What observers ask for, made only for them.
    template <class Observer>
    void show([[maybe_unused]] attention_problem<S> const& p, saved const& s, Observer& o, index_t layer) const {
        auto const separate = [&]<class Site>(Site at, [[maybe_unused]] heads<S const> x) {
            if constexpr (wants<Observer, Site>) {
                tensor<S, 4> copy({p.B, p.H, p.T, p.D});
                for (index_t b = 0; b < p.B; ++b)
                    for (index_t h = 0; h < p.H; ++h)
                        for (index_t t = 0; t < p.T; ++t) std::copy_n(x.row(b, h, t), p.D, &copy(b, h, t, 0));
                watch(o, at, layer, *copy);
            }
        };
        separate(site::q{}, p.q);
        separate(site::k{}, p.k);
        separate(site::v{}, p.v);
        if constexpr (wants<Observer, site::pattern> || wants<Observer, site::slot> || wants<Observer, site::gate>) {
            tensor<S, 3> slot({p.B, p.H, p.T}), gate({p.B, p.H, p.T});
            auto const z = merged_heads(*s.z, head_size());
            attention_gates<Policy, S>(p, s.rows, s.rows.template weighted_values<Policy>(p, z), slot, gate);
            if constexpr (wants<Observer, site::pattern>) {
                tensor<S, 4> pattern({p.B, p.H, p.T, p.T});
                attention_pattern<Policy, S>(p, s.rows, slot, pattern);
                watch(o, site::pattern{}, layer, *pattern);
            }
            watch(o, site::slot{}, layer, *slot);
            watch(o, site::gate{}, layer, *gate);
        }
        watch(o, site::z{}, layer, *s.z);
    }

    index_t width_, heads_;
    linear<Device> project_, merge_;
    std::vector<parameter<S>*> policy_;
};

}  // namespace attnlab
