#pragma once
#include <array>
#include <deque>
#include <string>

#include <attnlab/core/heads.hpp>
#include <attnlab/layers/linear.hpp>
#include <attnlab/models/decoder/feed_forward.hpp>

namespace attnlab {

/// y = W2 act(W1 x), or with a gate W2 (act(Wg x) * W1 x) (GLU variants, 2002.05202), forward and backward.
template <class Device>
class trained_feed_forward {
    using S = typename Device::scalar;

public:
    struct saved {
        tensor<S, 2> slope, act, up,
            post;  ///< (N, F): act' and act of the gate, what it is multiplied with, the product; without a gate slope and post
    };
    struct workspace {
        tensor<S, 2> gate, wide, both, narrow;  ///< (N, F), (N, F), (N, 2 F), (N, C)
    };

    trained_feed_forward(parameter_list<S>& all, std::string const& prefix, decoder_description const& d, precision products)
        : act_(d.act), wide_(d.mlp_width), gated_(d.gated()), fused_(d.fused_gate) {
        auto const make = [&](matrix_name const& m, index_t in, index_t out) {
            matrices_.emplace_back(all, prefix + m.name, in, out, m.bias, 0.0, products);
        };
        make(d.down, wide_, d.width);
        make(d.up, d.width, fused_ ? 2 * wide_ : wide_);
        if (gated_ && !fused_) make(d.gate, d.width, wide_);
    }

    /// x (N, C) -> y (N, C), N = B T.
    template <observer Observer>
    void forward(view<S const, 2> x, view<S, 2> y, saved& s, workspace& w, Observer& o, index_t layer,
                 std::array<index_t, 2> batch) {
        std::array<index_t, 2> const shape{x.shape(0), wide_};
        [[maybe_unused]] auto const show = [&](auto site, tensor<S, 2>& t) {
            watch(o, site, layer, [&] { return (*t).reshaped(std::array{batch[0], batch[1], wide_}); });
        };
        s.slope.resize(shape), s.post.resize(shape);
        if (gated_) {
            s.act.resize(shape), s.up.resize(shape);
            if (fused_) {
                w.both.resize({shape[0], 2 * wide_});
                matrices_[1].forward(x, w.both);
                copy_heads(Device{}, half_of<S const>(w.both, 0), all_of<S>(s.slope), 1, 1, shape[0], wide_);
                copy_heads(Device{}, half_of<S const>(w.both, wide_), all_of<S>(s.up), 1, 1, shape[0], wide_);
            } else {
                matrices_[2].forward(x, s.slope);  // until the activation has read it, what is before that
            }
            show(site::gate_out{}, s.slope);
            activate<Device, S>(act_, seen(s.slope), flat(*s.act), s.slope.data());
            show(site::act_out{}, s.act);
            if (!fused_) matrices_[1].forward(x, s.up);
            show(site::mlp_pre{}, s.up);
            copy(Device{}, seen(s.up), flat(*s.post));
            multiply_by(Device{}, seen(s.act), flat(*s.post));
        } else {
            matrices_[1].forward(x, s.slope);
            show(site::mlp_pre{}, s.slope);
            activate<Device, S>(act_, seen(s.slope), flat(*s.post), s.slope.data());
            show(site::act_out{}, s.post);
        }
        show(site::mlp_post{}, s.post);
        matrices_[0].forward(s.post, y);
    }

    /// dx (N, C) is assigned.
    void backward(view<S const, 2> dy, view<S const, 2> x, saved const& s, S* dx, workspace& w) const {
        w.wide.resize(s.post.shape());
        matrices_[0].backward(dy, s.post, w.wide.data());
        if (gated_) {
            w.gate.resize(s.post.shape());
            copy(Device{}, seen(w.wide), flat(*w.gate));
            multiply_by(Device{}, seen(s.up), flat(*w.gate));
        }
        auto& before_activation = gated_ ? w.gate : w.wide;
        if (gated_) multiply_by(Device{}, seen(s.act), flat(*w.wide));
        multiply_by(Device{}, seen(s.slope), flat(*before_activation));
        if (fused_) {
            w.both.resize({x.shape(0), 2 * wide_});
            copy_heads(Device{}, all_of<S const>(w.gate), half_of<S>(w.both, 0), 1, 1, x.shape(0), wide_);
            copy_heads(Device{}, all_of<S const>(w.wide), half_of<S>(w.both, wide_), 1, 1, x.shape(0), wide_);
            return matrices_[1].backward(w.both, x, dx);
        }
        matrices_[1].backward(w.wide, x, dx);
        if (!gated_) return;
        w.narrow.resize(x.shape());
        matrices_[2].backward(w.gate, x, w.narrow.data());
        add(Device{}, seen(w.narrow), view<S, 1>(dx, {x.size()}));
    }

private:
    static view<S const, 1> seen(tensor<S, 2> const& x) { return flat(view<S const, 2>(x)); }
    /// Rows of the gate (from 0 on) or of what it multiplies (from F on), where they lie side by side; and where they do not.
    template <class T>
    heads<T> half_of(view<T, 2> both, index_t first) const {
        return {both.data() + first, 0, 0, 2 * wide_};
    }
    template <class T>
    heads<T> all_of(view<T, 2> x) const {
        return {x.data(), 0, 0, wide_};
    }

    activation act_;
    index_t wide_;
    bool gated_, fused_;
    std::deque<linear<Device>> matrices_;  ///< down, up, gate
};

}  // namespace attnlab
