#pragma once
#include <array>
#include <string>
#include <utility>

#include <attnlab/layers/attention.hpp>
#include <attnlab/layers/mlp.hpp>
#include <attnlab/layers/norm.hpp>

namespace attnlab {

/// A pre-norm block (GPT-2): x += attention(norm(x)); x += mlp(norm(x)).
template <class Policy, class Device>
class block {
    using S = typename Device::scalar;

public:
    struct settings {
        index_t width, heads, kv_heads;
        bool bias;
        gelu_form gelu;
        double norm_eps, deviation, projection_deviation;
        precision products;
    };
    /// What one block keeps for the way back, its input apart.
    struct saved {
        factor<Device> normed1, normed2;   ///< (B T, C)
        tensor<S, 3> mid;                  ///< (B, T, C)
        typename layer_norm<Device>::saved norm1, norm2;
        typename attention_layer<Policy, Device>::saved attention;
        typename mlp<Device>::saved mlp_rows;
    };
    struct workspace {
        typename attention_layer<Policy, Device>::workspace attention;
        factor<Device> wide, narrow;
    };

    block(parameter_list<S>& all, std::string const& name, settings const& c)
        : products_(c.products), norm1_(all, name + ".ln_1", c.width, c.bias, c.norm_eps),
          attention_(all, name + ".attn", c.width, c.heads, c.kv_heads, c.bias, c.deviation, c.projection_deviation, c.products),
          norm2_(all, name + ".ln_2", c.width, c.bias, c.norm_eps),
          mlp_(all, name + ".mlp", c.width, c.bias, c.gelu, c.deviation, c.projection_deviation, c.products) {}

    /// x -> y, both (B, T, C). x is changed by observers alone.
    template <observer Observer>
    void forward(view<S, 3> x, view<S, 3> y, saved& s, attention_context const& context, Observer& o, index_t layer) {
        std::array<index_t, 2> const batch{x.shape(0), x.shape(1)};
        s.normed1.resize(rows(x).shape(), products_, Policy::rows_read_input || (Policy::reads_input && wants_rows<Observer>));
        s.normed2.resize(rows(x).shape(), products_);
        s.mid.resize(x.shape());
        watch(o, site::resid_pre{}, layer, x);
        norm1_.forward(rows(view<S const, 3>(x)), s.normed1, s.norm1);
        watch(o, site::ln1_normalized{}, layer, s.normed1, batch);
        attention_.forward(onto<site::attn_out, Observer>(x), s.normed1, batch, rows(*s.mid), s.attention, context, o, layer);
        if constexpr (wants<Observer, site::attn_out>) {
            watch(o, site::attn_out{}, layer, s.mid);
            add(Device{}, flat(x), flat(*s.mid));
        }
        watch(o, site::resid_mid{}, layer, s.mid);
        norm2_.forward(rows(view<S const, 3>(s.mid)), s.normed2, s.norm2);
        watch(o, site::ln2_normalized{}, layer, s.normed2, batch);
        mlp_.forward(onto<site::mlp_out, Observer>(s.mid), s.normed2, rows(y), s.mlp_rows, o, layer, batch);
        if constexpr (wants<Observer, site::mlp_out>) {
            watch(o, site::mlp_out{}, layer, y);
            add(Device{}, flat(view<S const, 3>(s.mid)), flat(y));
        }
        watch(o, site::resid_post{}, layer, y);
    }

    /// d: the gradient by y becomes the gradient by x. \param next  the bias's gradient of the Linear that takes it next, below x, or null
    template <observer Observer>
    void backward(view<S const, 3> x, saved const& s, attention_context const& context, stream_gradient<Device> const& d, S* next, workspace& w,
                  Observer& o, index_t layer) const {
        std::array<index_t, 2> const batch{x.shape(0), x.shape(1)};
        view<S const, 3> const stream = d.whole;
        watch(o, site::gradient<site::resid_post>{}, layer, stream);
        watch(o, site::gradient<site::mlp_out>{}, layer, stream);   // a sum's gradient is that of its summands
        w.narrow.resize(rows(x).shape(), products_);
        mlp_.backward(d, s.normed2, s.mlp_rows, w.narrow, w.wide, o, layer, batch);
        watch(o, site::gradient<site::ln2_normalized>{}, layer, std::as_const(w.narrow), batch);
        norm2_.backward(w.narrow, rows(view<S const, 3>(s.mid)), s.norm2, d, attention_.last_bias_gradient());
        watch(o, site::gradient<site::resid_mid>{}, layer, stream);
        watch(o, site::gradient<site::attn_out>{}, layer, stream);
        w.narrow.resize(rows(x).shape(), Policy::rows_read_input ? precision::float32 : products_);   // to what joints leave there products add
        attention_.backward(d, s.normed1, s.attention, context, w.narrow, w.attention, o, layer);
        watch(o, site::gradient<site::ln1_normalized>{}, layer, std::as_const(w.narrow), batch);
        norm1_.backward(w.narrow, rows(x), s.norm1, d, next);
        watch(o, site::gradient<site::resid_pre>{}, layer, stream);
    }
    /// Of the Linear that takes the gradient by y first.
    S* last_bias_gradient() const { return mlp_.last_bias_gradient(); }

private:
    /// What a branch's result is put on top of: the stream, unless an observer asks for the result before the sum.
    template <class Site, observer Observer>
    static view<S const, 2> onto(view<S const, 3> stream) {
        if constexpr (wants<Observer, Site>) return {};
        else return rows(stream);
    }

    precision products_;
    layer_norm<Device> norm1_;
    attention_layer<Policy, Device> attention_;
    layer_norm<Device> norm2_;
    mlp<Device> mlp_;
};

}  // namespace attnlab
