#pragma once
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/problem.hpp>
#include <attnlab/layers/attention_sites.hpp>
#include <attnlab/models/decoder/mixture.hpp>
#include <attnlab/models/decoder/norm.hpp>
#include <attnlab/models/decoder/packing.hpp>
#include <attnlab/models/decoder/pass.hpp>

namespace attnlab {

/// One layer of a decoder, its weights where they are mapped. The stream is changed in place.
template <class Policy, class Device>
class decoder_layer {
    using S = typename Device::scalar;

public:
    /// Activations of the sequences at hand, shared by all layers.
    struct scratch {
        tensor<S, 3> normed, attention_out, mlp_out, qkv, z;
        tensor<S, 2> mixed;   // of one projection, or q or k alone
        attention_saved<S> rows;
        typename feed_forward<Device>::scratch mlp;
        typename mixture<Device>::scratch experts;
    };

    /// \throws error naming a tensor that is missing or of another shape
    decoder_layer(model_folder const& from, decoder_description const& d, index_t number)
        : d_(&d), number_(number), norm1_(from, d.prefix(number), d.attention_norm, d.norm, d.width),
          norm2_(from, d.prefix(number), d.mlp_norm == d.attention_norm ? "" : d.mlp_norm, d.norm, d.width),
          post1_(from, d.prefix(number), d.post_attention_norm, d.norm, d.width), post2_(from, d.prefix(number), d.post_mlp_norm, d.norm, d.width),
          out_(from, d.prefix(number), d.out, d.heads * d.head_size, d.width) {
        auto const prefix = d.prefix(number);
        index_t const q = d.heads * d.head_size, kv = d.kv_heads * d.head_size;
        if (d.qkv.name.empty())
            for (auto const& [name, width] : {std::pair{d.q, q}, {d.k, kv}, {d.v, kv}}) project_.emplace_back(from, prefix, name, d.width, width);
        else
            project_.emplace_back(from, prefix, d.qkv, d.width, q + 2 * kv);
        norm_form each = d.norm;
        each.bias = false;
        q_norm_ = stored_norm<Device>(from, prefix, d.q_norm, each, d.qk_norm_of_all ? q : d.head_size);
        k_norm_ = stored_norm<Device>(from, prefix, d.k_norm, each, d.qk_norm_of_all ? kv : d.head_size);
        if (!d.sinks.empty()) sinks_ = values_of<S>(from.tensor(prefix + d.sinks, {d.heads}));
        if (d.mixture.experts > 0)
            mixture_ = mixture<Device>(from, prefix, d);
        else
            mlp_ = feed_forward<Device>(from, prefix, d);
    }

    /// x (B, T, C): some sequences of the stream. \param firsts (B, T): where the keys begin that each query sees; null: at 0
    template <observer Observer>
    void forward(view<S, 3> x, scratch& s, decoder_pass<S> const& pass, index_t const* firsts, Observer& o) {
        auto const shape = x.shape();
        s.normed.resize(shape), s.attention_out.resize(shape), s.mlp_out.resize(shape);
        watch(o, site::resid_pre{}, number_, x);
        if (d_->norm_after) {
            attend_to(x, s, pass, firsts, o);
            add_to(x, s.attention_out);
            watch(o, site::resid_mid{}, number_, x);
            norm1_.forward(rows(x), rows(x));
            watch(o, site::ln1_normalized{}, number_, x);
            think(x, s, o);
            add_to(x, s.mlp_out);
            norm2_.forward(rows(x), rows(x));
            watch(o, site::ln2_normalized{}, number_, x);
        } else {
            norm(norm1_, x, s.normed);
            watch(o, site::ln1_normalized{}, number_, s.normed);
            attend_to(s.normed, s, pass, firsts, o);
            if (!d_->parallel) add_to(x, s.attention_out);
            watch(o, site::resid_mid{}, number_, x);
            if (norm2_ || !d_->parallel) norm(norm2_, x, s.normed);
            watch(o, site::ln2_normalized{}, number_, s.normed);
            think(s.normed, s, o);
            if (d_->parallel) add_to(x, s.attention_out);
            add_to(x, s.mlp_out);
        }
        watch(o, site::resid_post{}, number_, x);
    }

    /// Gives the pages of its weights back.
    void release() const {
        for (auto const& p : project_) p.release();
        out_.release(), mlp_.release(), mixture_.release();
    }

private:
    static void norm(stored_norm<Device> const& by, view<S, 3> x, view<S, 3> y) {
        if (by) by.forward(rows(x), rows(y));
        else copy(Device{}, flat(view<S const, 3>(x)), flat(y));
    }
    static void add_to(view<S, 3> x, view<S const, 3> y) { add(Device{}, flat(y), flat(x)); }

    void scale_residual(view<S, 3> y) const {
        if (d_->residual_scale != 1) multiply_by(Device{}, static_cast<S>(d_->residual_scale), flat(y));
    }

    /// x (B, T, C), normed -> s.attention_out
    template <observer Observer>
    void attend_to(view<S, 3> x, scratch& s, decoder_pass<S> const& pass, index_t const* firsts, Observer& o) {
        project(x, s);
        auto p = problem(x, s, pass, firsts);
        prepare(p, s, pass);
        watch_before_attention<Policy>(o, number_, p, s.qkv);
        s.z.resize({p.B, p.T, p.H * p.D});
        attend<Policy, Device>(p, s.rows, merged_heads(*s.z, p.D), o, number_);
        watch(o, site::z{}, number_, s.z);
        out_.forward(rows(view<S const, 3>(s.z)), rows(*s.attention_out));
        watch(o, site::attn_out{}, number_, s.attention_out);
        if (post1_) {
            post1_.forward(rows(*s.attention_out), rows(*s.attention_out));
            watch(o, site::post_attn_norm_out{}, number_, s.attention_out);
        }
        scale_residual(s.attention_out);
    }

    /// x (B, T, C), normed -> s.mlp_out
    template <observer Observer>
    void think(view<S, 3> x, scratch& s, Observer& o) {
        std::array const batch{x.shape(0), x.shape(1)};
        if (d_->mixture.experts > 0)
            mixture_.forward(rows(x), rows(*s.mlp_out), s.experts, o, number_, batch);
        else
            mlp_.forward(rows(x), rows(*s.mlp_out), s.mlp, o, number_, batch);
        watch(o, site::mlp_out{}, number_, s.mlp_out);
        if (post2_) {
            post2_.forward(rows(*s.mlp_out), rows(*s.mlp_out));
            watch(o, site::post_mlp_norm_out{}, number_, s.mlp_out);
        }
        scale_residual(s.mlp_out);
    }

    /// q, k and v side by side in s.qkv (B, T, (H + 2 H_kv) D), heads in order.
    void project(view<S, 3> x, scratch& s) {
        index_t const D = d_->head_size, H = d_->heads, G = d_->kv_heads, W = (H + 2 * G) * D, N = x.shape(0) * x.shape(1);
        s.qkv.resize({x.shape(0), x.shape(1), W});
        if (project_.size() == 1 && !d_->grouped) return project_[0].forward(rows(x), rows(*s.qkv));
        index_t at = 0;
        for (auto const& part : project_) {
            s.mixed.resize({N, part.out()});
            part.forward(rows(x), s.mixed);
            pack_columns<Device, S>(*d_, at, s.mixed, rows(*s.qkv));
            at += part.out();
        }
    }

    attention_problem<S> problem(view<S, 3> x, scratch& s, decoder_pass<S> const& pass, index_t const* firsts) const {
        attention_problem<S> p;
        p.B = x.shape(0), p.T = x.shape(1), p.H = d_->heads, p.H_kv = d_->kv_heads, p.D = d_->head_size, p.width = d_->width;
        p.scale = d_->scale_query ? S(1) : static_cast<S>(d_->score_scale());
        p.documents = firsts;
        auto const qkv = view<S const, 3>(s.qkv);
        p.q = merged_heads(qkv, p.D, 0);
        p.k = merged_heads(qkv, p.D, p.H * p.D);
        p.v = merged_heads(qkv, p.D, (p.H + p.H_kv) * p.D);
        p.input = x.data();
        for (std::string_view const name : Policy::parameter_names)
            p.parameters.push_back(name == "sink" ? sinks_.data() : pass.numbers.at(name).data());
        return p;
    }

    /// What is done to q, k and v before the kernel: clamp, QK-norm, rotation, scale, in this order.
    void prepare(attention_problem<S> const& p, scratch& s, decoder_pass<S> const& pass) {
        index_t const N = p.B * p.T;
        if (d_->clip_qkv > 0) clip_forward(Device{}, static_cast<S>(d_->clip_qkv), flat(view<S const, 3>(s.qkv)), flat(*s.qkv), static_cast<S*>(nullptr));
        auto const q = merged_heads(*s.qkv, p.D, 0), k = merged_heads(*s.qkv, p.D, p.H * p.D);
        auto const normalise = [&](stored_norm<Device> const& norm, heads<S> x, index_t count) {
            if (!norm) return;
            s.mixed.resize({N, count * p.D});   // heads of a token lie side by side
            heads<S> const apart{s.mixed.data(), p.T * count * p.D, p.D, count * p.D};
            copy_heads(Device{}, heads<S const>(x), apart, p.B, count, p.T, p.D);
            index_t const width = d_->qk_norm_of_all ? count * p.D : p.D;
            auto const normed = (*s.mixed).reshaped(std::array{s.mixed.size() / width, width});
            norm.forward(normed, normed);
            copy_heads(Device{}, heads<S const>(apart), x, p.B, count, p.T, p.D);
        };
        normalise(q_norm_, q, p.H);
        normalise(k_norm_, k, p.H_kv);
        auto const& angles = pass.angles_of(*d_, number_);
        if (angles.pairs() > 0) {
            rotate_heads(Device{}, q, p.B, p.H, p.T, angles);
            rotate_heads(Device{}, k, p.B, p.H_kv, p.T, angles);
        }
        if (d_->scale_query) copy_heads(Device{}, heads<S const>(q), q, p.B, p.H, p.T, p.D, static_cast<S>(d_->score_scale()));
    }

    decoder_description const* d_;
    index_t number_;
    stored_norm<Device> norm1_, norm2_, post1_, post2_, q_norm_, k_norm_;
    std::vector<stored_linear<Device>> project_;
    stored_linear<Device> out_;
    buffer<S> sinks_;
    feed_forward<Device> mlp_;
    mixture<Device> mixture_;
};

}  // namespace attnlab
