#pragma once
#include <algorithm>
#include <array>
#include <cmath>
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
        tensor<S, 3> raw;   ///< before the clamp, where there is one
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
            s.raw.resize(qkv.shape());
            std::copy(qkv.begin(), qkv.end(), s.raw.data());
            for (S& x : qkv) x = std::clamp(x, -most, most);
        }
        auto const normalise = [&](auto const& norm, int which, tensor<S, 2>& before, norm_saved& kept) {
            if (!norm) return;
            before.resize({qkv.shape(0) * qkv.shape(1), width(which)});
            tensor<S, 2> after(before.shape());
            each_row(qkv, which, before, [](S* packed, S* row, index_t n) { std::copy_n(packed, n, row); });
            norm.forward(as_normed(std::as_const(before), which), as_normed(after, which), kept);
            each_row(qkv, which, after, [](S* packed, S* row, index_t n) { std::copy_n(row, n, packed); });
        };
        normalise(q_norm_, 0, s.q, s.q_norm);
        normalise(k_norm_, 1, s.k, s.k_norm);
        turn(qkv, pass.angles_of(*d_, number_));
        scale_query(qkv);
    }

    /// \param part, other  room to work in
    void backward(view<S, 3> dqkv, saved const& s, decoder_pass<S> const& pass, tensor<S, 2>& part, tensor<S, 2>& other) {
        scale_query(dqkv);
        turn(dqkv, pass.angles_of(*d_, number_).reversed());
        auto const normalise = [&](auto& norm, int which, tensor<S, 2> const& before, norm_saved const& kept) {
            if (!norm) return;
            part.resize(before.shape()), other.resize(before.shape());
            other.fill(0);
            each_row(dqkv, which, part, [](S* packed, S* row, index_t n) { std::copy_n(packed, n, row); });
            norm.backward(as_normed(std::as_const(part), which), as_normed(before, which), kept, as_normed(other, which));
            each_row(dqkv, which, other, [](S* packed, S* row, index_t n) { std::copy_n(row, n, packed); });
        };
        normalise(q_norm_, 0, s.q, s.q_norm);
        normalise(k_norm_, 1, s.k, s.k_norm);
        if (S const most = static_cast<S>(d_->clip_qkv); most > 0)
            for (index_t i = 0; i < dqkv.size(); ++i)
                if (std::abs(s.raw.data()[i]) > most) dqkv.data()[i] = 0;
    }

private:
    /// Channels of all heads of q (0) or k (1), and where they begin in a packed row.
    index_t width(int which) const { return (which == 0 ? d_->heads : d_->kv_heads) * d_->head_size; }
    index_t offset(int which) const { return which == 0 ? 0 : d_->heads * d_->head_size; }

    /// `move(packed, row, count)` for the rows of q or k, packed and side by side.
    template <class Move>
    void each_row(view<S, 3> qkv, int which, tensor<S, 2>& side_by_side, Move move) const {
        index_t const n = width(which), W = qkv.shape(2);
#pragma omp parallel for schedule(static) if (side_by_side.size() > (1 << 16))
        for (index_t i = 0; i < side_by_side.shape(0); ++i)
            move(qkv.data() + i * W + offset(which), side_by_side.data() + i * n, n);
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
        S const by = static_cast<S>(d_->score_scale());
        for (index_t i = 0; i < qkv.shape(0) * qkv.shape(1); ++i)
            for (index_t c = 0; c < width(0); ++c) qkv.data()[i * qkv.shape(2) + c] *= by;
    }

    decoder_description const* d_;
    index_t number_;
    trained_norm<Device> q_norm_, k_norm_;
};

}  // namespace attnlab
