#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <attnlab/models/decoder/feed_forward.hpp>

namespace attnlab {

/// A mixture of experts in place of the MLP (Mixtral, 2401.04088): each token goes through its `chosen` experts, weighted by a softmax of the
/// router's logits over those alone. Experts that no token chose are never read.
template <class Device>
class mixture {
    using S = typename Device::scalar;

public:
    struct scratch {
        tensor<S, 2> logits, weights, chosen;            ///< (N, E), (N, K), (N, K): expert numbers, best first
        tensor<S, 2> x, gate, up, both, y;               ///< of one expert's tokens
    };

    mixture() = default;
    mixture(model_folder const& from, std::string const& prefix, decoder_description const& d)
        : form_(d.mixture), act_(d.act), router_(from, prefix, d.mixture.router, d.width, d.mixture.experts) {
        auto const& m = form_;
        index_t const C = d.width, F = d.mlp_width, E = m.experts;
        auto const bias_of = [&](std::string const& name, index_t e, index_t out) { return values_of<S>(from.tensor(prefix + name + "_bias", {E, out}).slice(e)); };
        for (index_t e = 0; e < E; ++e) {
            expert x;
            if (m.fused) {
                x.both = fused(from, prefix + m.gate, E, C, 2 * F, e, bias_of(m.gate, e, 2 * F));
                x.down = fused(from, prefix + m.down, E, F, C, e, bias_of(m.down, e, C));
            } else {
                auto const of = [&](std::string const& name) { return matrix_name{decoder_description::of_expert(name, e)}; };
                x.gate = stored_linear<Device>(from, prefix, of(m.gate), C, F);
                x.up = stored_linear<Device>(from, prefix, of(m.up), C, F);
                x.down = stored_linear<Device>(from, prefix, of(m.down), F, C);
            }
            experts_.push_back(std::move(x));
        }
    }

    /// x (N, C) -> y (N, C), N = B T.
    template <observer Observer>
    void forward(view<S const, 2> x, view<S, 2> y, scratch& s, Observer& o, index_t layer, std::array<index_t, 2> batch) const {
        index_t const N = x.shape(0), C = x.shape(1), E = form_.experts, K = form_.chosen;
        s.logits.resize({N, E}), s.weights.resize({N, K}), s.chosen.resize({N, K});
        router_.forward(x, s.logits);
        auto const show = [&](auto site, tensor<S, 2>& t) { watch(o, site, layer, (*t).reshaped(std::array{batch[0], batch[1], t.shape(1)})); };
        show(site::router_logits{}, s.logits);
        synchronize(Device{});   // the host chooses
        for (index_t i = 0; i < N; ++i) choose(s, i);
        show(site::router_weights{}, s.weights);
        show(site::router_experts{}, s.chosen);
        zero(Device{}, flat(y));
        std::vector<std::int32_t> tokens;
        std::vector<S> share;
        for (index_t e = 0; e < E; ++e) {
            tokens.clear(), share.clear();
            for (index_t i = 0; i < N; ++i)
                for (index_t k = 0; k < K; ++k)
                    if (s.chosen(i, k) == static_cast<S>(e)) tokens.push_back(static_cast<std::int32_t>(i)), share.push_back(s.weights(i, k));
            if (tokens.empty()) continue;
            auto const n = static_cast<index_t>(tokens.size());
            s.x.resize({n, C}), s.y.resize({n, C});
            // Rows are chosen, and added up, as those of a table are by tokens.
            view<std::int32_t const, 2> const chosen(tokens.data(), {1, n});
            embedding_forward(Device{}, chosen, x, {}, view<S, 3>(s.x.data(), {1, n, C}));
            run(experts_[static_cast<std::size_t>(e)], s);
            multiply_rows_by(Device{}, share.data(), *s.y);
            embedding_backward(Device{}, chosen, view<S const, 3>(s.y.data(), {1, n, C}), y, {});
        }
    }

    void release() const {
        router_.release();
        for (auto const& e : experts_)
            for (auto const* w : {&e.gate, &e.up, &e.both, &e.down}) w->release();
    }

private:
    struct expert {
        stored_linear<Device> gate, up, both, down;
    };

    /// Expert e of one tensor: (E, I, O), or MXFP4 as (E, O, I).
    static stored_linear<Device> fused(model_folder const& from, std::string const& name, index_t E, index_t in, index_t out, index_t e, buffer<S> bias) {
        if (from.has_mxfp4(name)) return {from.mxfp4(name, {E, out, in}).slice(e), false, std::move(bias)};
        return {from.tensor(name, {E, in, out}).slice(e), true, std::move(bias)};
    }

    /// The K largest logits of token i, best first, and the softmax over them (the same as that over all, normalised among the chosen), or
    /// over all.
    void choose(scratch& s, index_t i) const {
        index_t const E = form_.experts, K = form_.chosen;
        S const* const logits = s.logits.data() + i * E;
        std::vector<index_t> order(static_cast<std::size_t>(E));
        std::iota(order.begin(), order.end(), index_t{0});
        std::partial_sort(order.begin(), order.begin() + K, order.end(), [&](index_t a, index_t b) { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); });
        S sum = 0, rest = 0;
        for (index_t k = 0; k < K; ++k) sum += s.weights(i, k) = std::exp(logits[order[static_cast<std::size_t>(k)]] - logits[order[0]]);
        for (index_t k = K; k < E && !form_.normalised; ++k) rest += std::exp(logits[order[static_cast<std::size_t>(k)]] - logits[order[0]]);
        for (index_t k = 0; k < K; ++k) s.weights(i, k) /= sum + rest, s.chosen(i, k) = static_cast<S>(order[static_cast<std::size_t>(k)]);
    }

    void run(expert const& e, scratch& s) const {
        index_t const n = s.x.shape(0), F = e.down.in();
        s.gate.resize({n, F}), s.up.resize({n, F});
        if (form_.fused) {   // gpt-oss (2508.10925): gate and up in turn, clamped
            s.both.resize({n, 2 * F});
            e.both.forward(s.x, s.both);
            clamped_gate_forward(Device{}, static_cast<S>(form_.clamp), static_cast<S>(form_.slope), flat(view<S const, 2>(s.both)), flat(*s.up));
        } else {
            auto const gate = flat(*s.gate), up = flat(*s.up);
            e.gate.forward(s.x, s.gate);
            activate<Device, S>(act_, gate, gate);
            e.up.forward(s.x, s.up);
            multiply_by(Device{}, view<S const, 1>(gate), up);
        }
        e.down.forward(s.up, s.y);
    }

    mixture_form form_;
    activation act_ = activation::silu;
    stored_linear<Device> router_;
    std::vector<expert> experts_;
};

}  // namespace attnlab
