#pragma once
#include <array>
#include <string>

#include <attnlab/models/trained/attention.hpp>
#include <attnlab/models/trained/feed_forward.hpp>
#include <attnlab/models/trained/norm.hpp>

namespace attnlab {

/// A block of a family: attention and feed-forward one after the other or side by side, norms before them, after them or after
/// the sums.
template <class Device>
class trained_block {
    using S = typename Device::scalar;
    using norm_saved = typename trained_norm<Device>::saved;

public:
    /// What one block keeps for the way back, its input apart.
    struct saved {
        tensor<S, 3> normed1, normed2, mid;  ///< (B, T, C): what attention and the MLP are given, and the stream between them
        tensor<S, 3> sum;                    ///< before the last norm, where norms follow the sums
        tensor<S, 3> raw1, raw2;             ///< what a norm after attention, or after the MLP, is given
        norm_saved norm1, norm2, post1, post2;
        typename trained_attention<Device>::saved attention;
        typename trained_feed_forward<Device>::saved mlp;
    };
    struct workspace {
        typename trained_attention<Device>::workspace attention;
        typename trained_feed_forward<Device>::workspace mlp;
        tensor<S, 3> out1, out2, branch, scaled;  ///< (B, T, C)
    };

    trained_block(parameter_list<S>& all, decoder_description const& d, index_t number, decoder_policy<Device> const& policy,
                  double deviation, precision products)
        : d_(&d),
          number_(number),
          norm1_(all, d.prefix(number), d.attention_norm, d.norm, d.width),
          norm2_(all, d.prefix(number), d.mlp_norm == d.attention_norm ? "" : d.mlp_norm, d.norm, d.width),
          post1_(all, d.prefix(number), d.post_attention_norm, d.norm, d.width),
          post2_(all, d.prefix(number), d.post_mlp_norm, d.norm, d.width),
          attention_(all, d, number, policy, deviation, products),
          mlp_(all, d.prefix(number), d, products) {}

    std::vector<parameter<S>*> const& learned() const { return attention_.learned(); }

    /// x -> y, both (B, T, C). x is changed by observers alone.
    template <observer Observer>
    void forward(view<S, 3> x, view<S, 3> y, saved& s, decoder_pass<S> const& pass, attention_context const& context,
                 workspace& w, Observer& o) {
        s.normed1.resize(x.shape()), s.normed2.resize(x.shape()), s.mid.resize(x.shape());
        w.out1.resize(x.shape()), w.out2.resize(x.shape());
        watch(o, site::resid_pre{}, number_, x);
        if (d_->norm_after) {
            attend(x, s, pass, context, w, o);
            sum(s.mid, x, w.out1);
            watch(o, site::resid_mid{}, number_, s.mid);
            norm1_.forward(rows(view<S const, 3>(s.mid)), rows(*s.normed1), s.norm1);
            watch(o, site::ln1_normalized{}, number_, s.normed1);
            think(*s.normed1, s, w, o);
            s.sum.resize(x.shape());
            sum(s.sum, s.normed1, w.out2);
            norm2_.forward(rows(view<S const, 3>(s.sum)), rows(y), s.norm2);
            watch(o, site::ln2_normalized{}, number_, y);
        } else {
            norm(norm1_, x, s.normed1, s.norm1);
            watch(o, site::ln1_normalized{}, number_, s.normed1);
            attend(*s.normed1, s, pass, context, w, o);
            if (d_->parallel)
                copy_to(s.mid, x);
            else
                sum(s.mid, x, w.out1);
            watch(o, site::resid_mid{}, number_, s.mid);
            if (norm2_ || !d_->parallel)
                norm(norm2_, s.mid, s.normed2, s.norm2);
            else
                copy_to(s.normed2, s.normed1);
            watch(o, site::ln2_normalized{}, number_, s.normed2);
            think(*s.normed2, s, w, o);
            sum(y, s.mid, w.out2);
            if (d_->parallel) add_to(y, w.out1);
        }
        watch(o, site::resid_post{}, number_, y);
    }

    /// d: the gradient by y becomes the gradient by x.
    void backward(view<S const, 3> x, saved const& s, decoder_pass<S> const& pass, attention_context const& context, view<S, 3> d,
                  workspace& w) {
        w.out1.resize(x.shape()), w.out2.resize(x.shape());
        auto const attention = [&](view<S const, 3> input) { attend_backward(d, input, s, pass, context, w.out1, w); };
        if (d_->norm_after) {
            into(d, w,
                 [&](view<S const, 2> dy, view<S, 2> dx) { norm2_.backward(dy, rows(view<S const, 3>(s.sum)), s.norm2, dx); });
            think_backward(d, *s.normed1, s, w.out2, w);
            add_to(d, w.out2);
            into(d, w,
                 [&](view<S const, 2> dy, view<S, 2> dx) { norm1_.backward(dy, rows(view<S const, 3>(s.mid)), s.norm1, dx); });
            attention(x);
            return add_to(d, w.out1);
        }
        think_backward(d, *s.normed2, s, w.out2, w);
        if (d_->parallel) {
            attention(*s.normed1);
            if (norm2_)
                norm_backward(norm2_, w.out2, s.mid, s.norm2, d);
            else
                add_to(w.out1, w.out2);  // one norm feeds both
        } else {
            norm_backward(norm2_, w.out2, s.mid, s.norm2, d);
            attention(*s.normed1);
        }
        norm_backward(norm1_, w.out1, x, s.norm1, d);
    }

private:
    static void copy_to(view<S, 3> x, view<S const, 3> y) { copy(Device{}, flat(y), flat(x)); }
    static void add_to(view<S, 3> x, view<S const, 3> y) { add(Device{}, flat(y), flat(x)); }
    static void sum(view<S, 3> to, view<S const, 3> x, view<S const, 3> y) { copy_to(to, x), add_to(to, y); }

    static void norm(trained_norm<Device> const& by, view<S const, 3> x, view<S, 3> y, norm_saved& s) {
        if (by)
            by.forward(rows(x), rows(y), s);
        else
            copy_to(y, x);
    }
    /// Adds to dx.
    static void norm_backward(trained_norm<Device>& by, view<S const, 3> dy, view<S const, 3> x, norm_saved const& s,
                              view<S, 3> dx) {
        if (by)
            by.backward(rows(dy), rows(x), s, rows(dx));
        else
            add_to(dx, dy);
    }
    /// d becomes what `backward` makes of it, by way of w.branch.
    template <class Backward>
    static void into(view<S, 3> d, workspace& w, Backward backward) {
        w.branch.resize(d.shape());
        copy_to(w.branch, d);
        zero(Device{}, flat(d));
        backward(rows(view<S const, 3>(w.branch)), rows(d));
    }

    /// What is added to the stream: through the norm after the part, if there is one, and scaled.
    template <class Site, observer Observer>
    void finish(trained_norm<Device> const& post, view<S, 3> out, tensor<S, 3>& raw, norm_saved& s, Site after,
                Observer& o) const {
        if (post) {
            raw.resize(out.shape());
            copy_to(raw, out);
            post.forward(rows(view<S const, 3>(raw)), rows(out), s);
            watch(o, after, number_, out);
        }
        if (d_->residual_scale != 1) multiply_by(Device{}, static_cast<S>(d_->residual_scale), flat(out));
    }
    /// The gradient by what the part gave: d itself, or in the workspace.
    view<S const, 3> finish_backward(trained_norm<Device>& post, view<S const, 3> d, tensor<S, 3> const& raw, norm_saved const& s,
                                     workspace& w) const {
        if (d_->residual_scale != 1) {
            w.scaled.resize(d.shape());
            copy_to(w.scaled, d);
            multiply_by(Device{}, static_cast<S>(d_->residual_scale), flat(*w.scaled));
            d = w.scaled;
        }
        if (!post) return d;
        w.branch.resize(d.shape());
        zero(Device{}, flat(*w.branch));
        post.backward(rows(d), rows(*raw), s, rows(*w.branch));
        return w.branch;
    }

    template <observer Observer>
    void attend(view<S, 3> x, saved& s, decoder_pass<S> const& pass, attention_context const& context, workspace& w,
                Observer& o) {
        attention_.forward(x, rows(*w.out1), s.attention, pass, context, w.attention, o);
        watch(o, site::attn_out{}, number_, w.out1);
        finish(post1_, w.out1, s.raw1, s.post1, site::post_attn_norm_out{}, o);
    }
    template <observer Observer>
    void think(view<S, 3> x, saved& s, workspace& w, Observer& o) {
        mlp_.forward(rows(view<S const, 3>(x)), rows(*w.out2), s.mlp, w.mlp, o, number_, {x.shape(0), x.shape(1)});
        watch(o, site::mlp_out{}, number_, w.out2);
        finish(post2_, w.out2, s.raw2, s.post2, site::post_mlp_norm_out{}, o);
    }
    /// dx is assigned.
    void attend_backward(view<S const, 3> d, view<S const, 3> x, saved const& s, decoder_pass<S> const& pass,
                         attention_context const& context, view<S, 3> dx, workspace& w) {
        attention_.backward(rows(finish_backward(post1_, d, s.raw1, s.post1, w)), x, s.attention, pass, context, dx, w.attention);
    }
    void think_backward(view<S const, 3> d, view<S const, 3> x, saved const& s, view<S, 3> dx, workspace& w) {
        mlp_.backward(rows(finish_backward(post2_, d, s.raw2, s.post2, w)), rows(x), s.mlp, dx.data(), w.mlp);
    }

    decoder_description const* d_;
    index_t number_;
    trained_norm<Device> norm1_, norm2_, post1_, post2_;
    trained_attention<Device> attention_;
    trained_feed_forward<Device> mlp_;
};

}  // namespace attnlab
