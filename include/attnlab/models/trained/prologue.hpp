#pragma once
#include <array>
#include <string>
#include <utility>

#include <attnlab/core/heads.hpp>
#include <attnlab/models/decoder/pass.hpp>
#include <attnlab/models/trained/norm.hpp>

namespace attnlab {

/// What a family does to q, k and v before any policy: clamp, QK-norm, rotation by the config.json's angles, scale, in this
/// order. They lie packed, (B, T, (H + 2 H_kv) D), and are changed in place, as are their gradients on the way back.
template <class Device>
class trained_prologue {
    using S = typename Device::scalar;
    using norm_saved = typename trained_norm<Device>::saved;

public:
    struct saved {
        tensor<S, 3> slope;   ///< of the clamp, where there is one
        tensor<S, 2> q, k;  ///< (N, H D), (N, H_kv D): before QK-norm, where there is one
        norm_saved q_norm, k_norm;
    };

    trained_prologue(parameter_list<S>& all, decoder_description const& d, index_t number) : d_(&d), number_(number) {
        norm_form each = d.norm;
        each.bias = false;
        q_norm_ = trained_norm<Device>(all, d.prefix(number), d.q_norm, each, d.qk_norm_of_all ? width(0) : d.head_size);
        k_norm_ = trained_norm<Device>(all, d.prefix(number), d.k_norm, each, d.qk_norm_of_all ? width(1) : d.head_size);
    }

    void forward(view<S, 3> qkv, saved& s, decoder_pass<S> const& pass) const {
        if (S const most = static_cast<S>(d_->clip_qkv); most > 0) {
            s.slope.resize(qkv.shape());
            clip_forward(Device{}, most, flat(view<S const, 3>(qkv)), flat(qkv), s.slope.data());
        }
        auto const normalise = [&](auto const& norm, int which, tensor<S, 2>& before, norm_saved& kept) {
            if (!norm) return;
            before.resize({qkv.shape(0) * qkv.shape(1), width(which)});
            tensor<S, 2> after(before.shape());
            copy_heads(Device{}, all_heads(view<S const, 3>(qkv), which), side_by_side(*before), 1, 1, before.shape(0), width(which));
            norm.forward(as_normed(std::as_const(before), which), as_normed(after, which), kept);
            copy_heads(Device{}, side_by_side(view<S const, 2>(after)), all_heads(qkv, which), 1, 1, after.shape(0), width(which));
        };
        normalise(q_norm_, 0, s.q, s.q_norm);
        normalise(k_norm_, 1, s.k, s.k_norm);
        turn(qkv, pass.angles_of(*d_, number_));
        scale_query(qkv);
    }

    /// \param part, other  room to work in
    void backward(view<S, 3> dqkv, saved const& s, decoder_pass<S> const& pass, tensor<S, 2>& part, tensor<S, 2>& other) {
        scale_query(dqkv);
        turn(dqkv, pass.angles_back_of(*d_, number_));
        auto const normalise = [&](auto& norm, int which, tensor<S, 2> const& before, norm_saved const& kept) {
            if (!norm) return;
            part.resize(before.shape()), other.resize(before.shape());
            zero(Device{}, flat(*other));
            copy_heads(Device{}, all_heads(view<S const, 3>(dqkv), which), side_by_side(*part), 1, 1, part.shape(0), width(which));
            norm.backward(as_normed(std::as_const(part), which), as_normed(before, which), kept, as_normed(other, which));
            copy_heads(Device{}, side_by_side(view<S const, 2>(other)), all_heads(dqkv, which), 1, 1, other.shape(0), width(which));
        };
        normalise(q_norm_, 0, s.q, s.q_norm);
        normalise(k_norm_, 1, s.k, s.k_norm);
        if (d_->clip_qkv > 0) multiply_by(Device{}, flat(view<S const, 3>(s.slope)), flat(dqkv));
    }

private:
    /// Channels of all heads of q (0) or k (1), and where they begin in a packed row.
    index_t width(int which) const { return (which == 0 ? d_->heads : d_->kv_heads) * d_->head_size; }
    index_t offset(int which) const { return which == 0 ? 0 : d_->heads * d_->head_size; }

    /// The rows of q or k inside packed ones, and rows of their own.
    template <class T>
    heads<T> all_heads(view<T, 3> qkv, int which) const {
        return {qkv.data() + offset(which), 0, 0, qkv.shape(2)};
    }
    template <class T>
    static heads<T> side_by_side(view<T, 2> x) {
        return {x.data(), 0, 0, x.shape(1)};
    }
    /// As rows of what the norm is over: a head, or all of them.
    template <class X>
    auto as_normed(X& x, int which) const {
        index_t const n = d_->qk_norm_of_all ? width(which) : d_->head_size;
        return (*x).reshaped(std::array{x.size() / n, n});
    }

    void turn(view<S, 3> qkv, rotation_angles<S> const& angles) const {
        if (angles.pairs() == 0) return;
        for (int which : {0, 1})
            rotate_heads(Device{}, merged_heads(qkv, d_->head_size, offset(which)), qkv.shape(0), width(which) / d_->head_size,
                         qkv.shape(1), angles);
    }
    void scale_query(view<S, 3> qkv) const {
        if (!d_->scale_query) return;
        copy_heads(Device{}, all_heads(view<S const, 3>(qkv), 0), all_heads(qkv, 0), 1, 1, qkv.shape(0) * qkv.shape(1), width(0),
                   static_cast<S>(d_->score_scale()));
    }

    decoder_description const* d_;
    index_t number_;
    trained_norm<Device> q_norm_, k_norm_;
};

}  // namespace attnlab
