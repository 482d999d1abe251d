#pragma once
#include <array>
#include <deque>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/layers/linear.hpp>
#include <attnlab/models/decoder/packing.hpp>
#include <attnlab/models/trained/policy.hpp>
#include <attnlab/models/trained/prologue.hpp>

namespace attnlab {

/// Attention of a family under a policy: projections, what the family does to q, k and v, the kernel, the projection back.
/// Forward keeps q, k and v as the kernel reads them.
template <class Device>
class trained_attention {
    using S = typename Device::scalar;

public:
    struct saved {
        tensor<S, 3> qkv, z;                              ///< (B, T, (H + 2 H_kv) D), (B, T, H D)
        typename trained_prologue<Device>::saved before;  ///< what was projected, as far as that is needed
        attention_saved<S> rows;
    };
    struct workspace {
        tensor<S, 3> dqkv, dz, d_input;
        tensor<S, 2> part, other;  ///< (N, width of a projection)
        buffer<S> unread;          ///< gradients by numbers that the family gives
    };

    trained_attention(parameter_list<S>& all, decoder_description const& d, index_t number, decoder_policy<Device> const& policy,
                      double deviation, precision products)
        : d_(&d), policy_(&policy), number_(number), prologue_(all, d, number) {
        auto const prefix = d.prefix(number);
        index_t const q = d.heads * d.head_size, kv = d.kv_heads * d.head_size;
        auto const make = [&](matrix_name const& m, index_t in, index_t out) {
            matrices_.emplace_back(all, prefix + m.name, in, out, m.bias, 0.0, products);
        };
        make(d.out, q, d.width);
        if (d.qkv.name.empty())
            make(d.q, d.width, q), make(d.k, d.width, kv), make(d.v, d.width, kv);
        else
            make(d.qkv, d.width, q + 2 * kv);
        widths_ = d.qkv.name.empty() ? std::vector{q, kv, kv} : std::vector{q + 2 * kv};
        learned_ = policy.declare(all, prefix + d.attention_module(), {d.heads, d.head_size, d.width}, deviation);
    }

    std::vector<parameter<S>*> const& learned() const { return learned_; }

    /// x (B, T, C) -> y (N, C). \param context  its documents: where the keys begin that each query sees
    template <observer Observer>
    void forward(view<S const, 3> x, view<S, 2> y, saved& s, decoder_pass<S> const& pass, attention_context const& context,
                 workspace& w, Observer& o) {
        index_t const B = x.shape(0), T = x.shape(1);
        s.qkv.resize({B, T, all_width()});
        s.z.resize({B, T, d_->heads * d_->head_size});
        project(x.reshaped(std::array{B * T, d_->width}), s, w);
        prologue_.forward(s.qkv, s.before, pass);
        auto const p = problem(x, s, pass, context);
        if constexpr (std::is_same_v<Observer, no_observer>)
            policy_->forward(p, s.rows, s.z);
        else
            policy_->watched(p, s.rows, s.qkv, s.z, o, number_);
        watch(o, site::z{}, number_, s.z);
        matrices_[0].forward(rows(view<S const, 3>(s.z)), y);
    }

    /// dx (B, T, C) is assigned.
    void backward(view<S const, 2> dy, view<S const, 3> x, saved const& s, decoder_pass<S> const& pass,
                  attention_context const& context, view<S, 3> dx, workspace& w) {
        w.dz.resize(s.z.shape());
        w.dqkv.resize(s.qkv.shape());
        matrices_[0].backward(dy, rows(view<S const, 3>(s.z)), w.dz.data());
        attention_gradients<S> g;
        g.q = part(*w.dqkv, 0), g.k = part(*w.dqkv, 1), g.v = part(*w.dqkv, 2);
        w.unread.resize(static_cast<std::size_t>(d_->heads));
        for (auto* p : learned_) g.parameters.push_back(p ? p->gradient.data() : w.unread.data());
        if (policy_->reads_input) {
            w.d_input.resize(x.shape());
            g.input = w.d_input.data();
        }
        policy_->backward(problem(x, s, pass, context), s.rows, merged_heads(view<S const, 3>(s.z), d_->head_size),
                          merged_heads(view<S const, 3>(w.dz), d_->head_size), g);
        prologue_.backward(w.dqkv, s.before, pass, w.part, w.other);
        project_backward(x.reshaped(std::array{dx.shape(0) * dx.shape(1), d_->width}), rows(dx), w);
        if (policy_->reads_input)
            add(Device{}, flat(view<S const, 3>(w.d_input)), flat(dx));
    }

private:
    index_t all_width() const { return (d_->heads + 2 * d_->kv_heads) * d_->head_size; }
    /// q, k or v of packed rows.
    template <class U>
    heads<U> part(view<U, 3> qkv, index_t which) const {
        return merged_heads(qkv, d_->head_size, which == 0 ? 0 : (d_->heads + (which - 1) * d_->kv_heads) * d_->head_size);
    }

    bool packed_as_stored() const { return widths_.size() == 1 && !d_->grouped; }

    void project(view<S const, 2> x, saved& s, workspace& w) {
        if (packed_as_stored()) return matrices_[1].forward(x, rows(*s.qkv));
        index_t before = 0;
        for (std::size_t i = 0; i < widths_.size(); before += widths_[i++]) {
            w.part.resize({x.shape(0), widths_[i]});
            matrices_[i + 1].forward(x, w.part);
            pack_columns<Device, S>(*d_, before, w.part, rows(*s.qkv));
        }
    }
    void project_backward(view<S const, 2> x, view<S, 2> dx, workspace& w) const {
        if (packed_as_stored()) return matrices_[1].backward(rows(view<S const, 3>(w.dqkv)), x, dx.data());
        index_t before = 0;
        for (std::size_t i = 0; i < widths_.size(); before += widths_[i++]) {
            w.part.resize({x.shape(0), widths_[i]});
            unpack_columns<Device, S>(*d_, before, rows(view<S const, 3>(w.dqkv)), w.part);
            if (i == 0) {
                matrices_[1].backward(w.part, x, dx.data());
                continue;
            }
            w.other.resize(x.shape());
            matrices_[i + 1].backward(w.part, x, w.other.data());
            add(Device{}, flat(view<S const, 2>(w.other)), flat(dx));
        }
    }

    attention_problem<S> problem(view<S const, 3> x, saved const& s, decoder_pass<S> const& pass,
                                 attention_context const& context) const {
        attention_problem<S> p;
        static_cast<attention_context&>(p) = context;
        p.B = x.shape(0), p.T = x.shape(1), p.H = d_->heads, p.H_kv = d_->kv_heads, p.D = d_->head_size, p.width = d_->width;
        p.scale = d_->scale_query ? S(1) : static_cast<S>(d_->score_scale());
        auto const qkv = view<S const, 3>(s.qkv);
        p.q = part(qkv, 0), p.k = part(qkv, 1), p.v = part(qkv, 2);
        p.input = x.data();
        for (std::size_t i = 0; i < learned_.size(); ++i)
            p.parameters.push_back(learned_[i] ? learned_[i]->value.data() : pass.numbers.at(policy_->names[i]).data());
        return p;
    }

    decoder_description const* d_;
    decoder_policy<Device> const* policy_;
    index_t number_;
    std::deque<linear<Device>> matrices_;  ///< out, then those of q, k and v, or the one of all three
    std::vector<index_t> widths_;          ///< of these others
    trained_prologue<Device> prologue_;
    std::vector<parameter<S>*> learned_;  ///< in the policy's order; null where the family gives the numbers
};

}  // namespace attnlab
