#pragma once
#include <array>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/attention/rotate.hpp>
#include <attnlab/layers/attention_sites.hpp>
#include <attnlab/layers/linear.hpp>
#include <attnlab/observe/observer.hpp>

namespace attnlab {

/// Multi-head self-attention under a policy: one projection to q, k, v, the policy, one projection back. With fewer heads of k and v
/// than of q, each of them serves a group of query heads (2305.13245).
template <class Policy, class Device>
class attention_layer {
    using S = typename Device::scalar;

public:
    struct saved {
        factor<Device> qkv;            ///< (B T, (H + 2 H_kv) D)
        factor<Device> z;              ///< (B T, C): merged heads
        index_t B, T;
        attention_saved<S> rows;
    };
    /// Room to work in on the way back, shared by all layers.
    struct workspace {
        factor<Device> dqkv, dz;
    };

    /// \throws error where a rotation does not fit the heads, usage_error where the policy cannot have grouped queries
    attention_layer(parameter_list<S>& all, std::string const& name, index_t width, index_t heads, index_t kv_heads, bool bias,
                    double deviation, double projection_deviation, precision products)
        : width_(width), heads_(heads), kv_heads_(kv_heads), products_(products),
          project_(all, name + ".c_attn", width, width + 2 * kv_heads * (width / heads), bias, deviation, products),
          merge_(all, name + ".c_proj", width, width, bias, projection_deviation, products) {
        expr::check_rotations_of<Policy>(head_size());
        if (Policy::keys_have_heads && kv_heads != heads)
            fail<usage_error>("n_kv_head: expected n_head (", heads, "), got ", kv_heads, ": this policy changes keys or values by numbers of each query head");
        std::apply([&](auto const&... p) { (declare(all, name, p, deviation), ...); }, Policy::parameters);
    }

    /// x (N, C), of a batch (B, T), -> y (N, C), to which `onto` is added unless it is empty. For policy::rows_read_input, and for observers of what reads x, it has to be there as floats, too.
    template <observer Observer>
    void forward(view<S const, 2> onto, factor<Device> const& x, std::array<index_t, 2> batch, view<S, 2> y, saved& s, attention_context const& context, Observer& o, index_t layer) {
        auto const [B, T] = batch;
        s.B = B, s.T = T;
        s.qkv.resize({B * T, all_width()}, precision_of_rows(x, !wants_rows<Observer>));
        s.z.resize({B * T, width_}, wants_rows<Observer> ? precision::float32 : products_);
        if (s.qkv.is_rounded()) project_.forward(x, s.qkv);
        else project_.forward(x, s.qkv.whole());
        auto const p = problem(x, s, context);
        if constexpr (wants_rows<Observer>) watch_before_attention<Policy>(o, layer, p, s.qkv.whole().reshaped(std::array{B, T, all_width()}));
        attend<Policy, Device>(p, s.rows, merged(s.z, s), o, layer);
        watch(o, site::z{}, layer, s.z, batch);
        merge_.forward_onto(onto, s.z, y);
    }

    /// dx (N, C) is assigned.
    template <observer Observer>
    void backward(stream_gradient<Device> const& dy, factor<Device> const& x, saved const& s, attention_context const& context, factor<Device>& dx, workspace& w,
                  Observer& o, index_t layer) const {
        w.dz.resize(s.z.shape(), s.z.is_rounded() ? products_ : precision::float32);
        w.dqkv.resize({x.shape()[0], all_width()}, precision_of_rows(x, true));
        merge_.backward(dy, s.z, w.dz);
        watch(o, site::gradient<site::z>{}, layer, std::as_const(w.dz), {s.B, s.T});

        attention_gradients<S> g;
        place(g, w.dqkv, s);
        for (auto* p : policy_) g.parameters.push_back(p->gradient.data());
        if constexpr (reads_input) {   // to which q's, k's and v's are added
            if (dx.is_rounded()) g.rounded_input = dx.rounded().data();
            else g.input = dx.whole().data();
        }
        attention_backward<Policy>(Device{}, problem(x, s, context), s.rows, merged(s.z, s), merged(std::as_const(w.dz), s), g);
        if constexpr (reads_input) project_.backward_onto(w.dqkv, x, dx);
        else if (w.dqkv.is_rounded()) project_.backward(w.dqkv, x, dx);
        else project_.backward(std::as_const(w.dqkv).whole(), x, dx);
    }
    S* last_bias_gradient() const { return merge_.bias_gradient(); }

private:
    static constexpr bool reads_input = Policy::reads_input;

    index_t head_size() const { return width_ / heads_; }
    index_t all_width() const { return width_ + 2 * kv_heads_ * head_size(); }

    /// Of rows of q, k and v, or of gradients by them: rounded where the attention and products alone read them.
    precision precision_of_rows(factor<Device> const& x, bool unseen) const { return x.is_rounded() && unseen ? products_ : precision::float32; }
    template <class T>
    static view<T, 3> in_batch(view<T, 2> x, saved const& s) {
        return x.reshaped(std::array{s.B, s.T, x.shape(1)});
    }
    /// The heads of rows (B T, C).
    template <class Factor>
    auto merged(Factor& x, saved const& s) const {
        stored_heads<std::conditional_t<std::is_const_v<Factor>, S const, S>> out;
        with_rows([&](auto rows) { out = merged_heads(in_batch(rows, s), head_size()); }, x);
        return out;
    }
    /// The heads of q, k and v in rows (B, T, (H + 2 H_kv) D).
    template <class T>
    std::array<heads<T>, 3> parts(view<T, 3> all) const {
        return {merged_heads(all, head_size(), 0), merged_heads(all, head_size(), width_), merged_heads(all, head_size(), width_ + kv_heads_ * head_size())};
    }
    /// Where q, k and v, or gradients by them, are.
    template <class Call, class Factor>
    void place(Call& call, Factor& all, saved const& s) const {
        with_rows([&](auto rows) { std::tie(call.q, call.k, call.v) = std::tuple_cat(parts(in_batch(rows, s))); }, all);
    }

    template <class P>
    void declare(parameter_list<S>& all, std::string const& name, P const& p, double deviation) {
        initializer const first = p.init.deviation == from_model.deviation ? normal(deviation) : p.init;
        policy_.push_back(all.add(name + "." + std::string(p.name), P::shape({heads_, head_size(), width_}), first));
    }

    attention_problem<S> problem(factor<Device> const& x, saved const& s, attention_context const& context) const {
        attention_problem<S> p;
        static_cast<attention_context&>(p) = context;
        p.B = s.B, p.H = heads_, p.H_kv = kv_heads_, p.T = s.T, p.D = head_size(), p.width = width_;
        p.products = products_;
        p.scale = static_cast<S>(1 / std::sqrt(static_cast<double>(p.D)));
        place(p, s.qkv, s);
        if constexpr (reads_input) {
            if (x.has_whole()) p.input = x.whole().data();
            if (x.is_rounded()) p.rounded_input = x.rounded().data();
        }
        for (auto* a : policy_) p.parameters.push_back(a->value.data());
        return p;
    }

    index_t width_, heads_, kv_heads_;
    precision products_;
    linear<Device> project_, merge_;
    std::vector<parameter<S>*> policy_;
};

}  // namespace attnlab
